"""Tables of methods and strategies from the cells that are kept of a comparison.

What a block of a page shows is for `tables.py` to say.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from query_tables import spread
from scipy.stats import ttest_1samp

from nnunet_slpt.evaluation.cells import Cell, read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.means import mean
from nnunet_slpt.evaluation.report import words

HERE = Path(__file__).parent
# Where full fine-tuning is better at another rate, it is compared at that.
BETTER = {"heart_small_300": {"full_adamw": "full_adamw_fast"}}
METHODS_HEADER = ("method", "tuned", "Dice", "against `{}`", "patients won", "p over seeds")
FEWEST_SEEDS = 3  # to test over


def cells_of(comparison: str) -> list[Cell]:
    """The finished cells that are kept of a comparison, with patients as test cases."""
    return [
        by_patient(cell) for cell in read_cells(HERE / "results" / "evidence" / comparison / "cells").cells
    ]


def by_patient(cell: Cell) -> Cell:
    """With the mean over a patient's images, for a test over cases takes each for a patient of its own."""
    images: dict[str, list[Any]] = defaultdict(list)
    for name, scores in cell.test.items():
        images[re.sub(r"_frame\d+$", "", name)].append(scores)
    test = {
        patient: {
            of: {metric: mean(one[of][metric] for one in several) for metric in several[0][of]}
            for of in several[0]
        }
        for patient, several in images.items()
    }
    return replace(cell, test=test)


def methods_of(comparison: str, reference: str, pattern: str, budget: int | None = None) -> Experiment:
    """One method and those of a pattern, on random cases, at one budget or at all."""
    cells = [
        cell
        for cell in cells_of(comparison)
        if cell.strategy == "random"
        and budget in (None, cell.budget)
        and (cell.method == reference or re.fullmatch(pattern, cell.method))
    ]
    return Experiment.of(cells, reference)


def gains_of(experiment: Experiment) -> dict[tuple[Way, int], str]:
    """The paired differences from the reference method."""
    return {
        (one, each.budget): spread(each.by_seed.values())
        for one, compared in experiment.method_comparisons.items()
        for each in compared
    }


def p_over_seeds(gains: Collection[float]) -> str:
    """Paired t-test: a seed is another subset and another start. Networks, not patients, are what varies."""
    if len(gains) < FEWEST_SEEDS:
        return "-"
    return words.p_value(float(ttest_1samp(list(gains), 0).pvalue))


def evidence_table(
    tasks: dict[str, str],
    methods: dict[str, str],
    budgets: Sequence[int] | None = None,
    heading: str = "task, steps, labelled cases",
) -> str:
    """Mean Dice on test cases, by comparison and budget, and the paired differences from the first method.

    Comparisons and methods come with how they are called.
    """
    rows = []
    for name, task in tasks.items():
        ways = [Way(BETTER.get(name, {}).get(one, one), "random") for one in methods]
        first, *others = ways
        experiment = Experiment.of(cells_of(name), first.method)
        gains = gains_of(experiment)
        for budget in budgets or experiment.budgets:
            levels = [words.spread(experiment.spread(one, budget)) for one in ways]
            rows.append([f"{task}, {budget}", *levels, *(gains.get((one, budget), "-") for one in others)])
    _, *compared = methods.values()
    titles = [*methods.values(), *(f"{title}: difference" for title in compared)]
    return words.markdown_table([heading, *titles], rows)


def methods_table(comparison: str, budget: int, reference: str, pattern: str) -> str:
    """Methods at one budget, the best first, and their paired differences from one of them."""
    experiment = methods_of(comparison, reference, pattern, budget)
    levels = {one: experiment.spread(one, budget) for one in experiment.ways}
    rows = []
    for one in sorted(levels, key=lambda one: -(levels[one].mean or 0)):
        costs = [cell.costs for cell in experiment.select(one)]
        share = np.mean([each["tuned_parameters"] / each["parameters"] for each in costs])
        row = [f"`{one.method}`", f"{share:.1%}", words.spread(levels[one])]
        for each in experiment.method_comparisons.get(one, ()):
            gains = each.by_seed.values()
            row += [spread(gains), f"{each.cases.win_rate:.0%}", p_over_seeds(gains)]
        rows.append(row + ["-"] * (len(METHODS_HEADER) - len(row)))
    return words.markdown_table([title.format(reference) for title in METHODS_HEADER], rows)


def budgets_table(comparison: str, reference: str, pattern: str) -> str:
    """Dice of one method at every budget, and the others' paired differences from it."""
    experiment = methods_of(comparison, reference, pattern)
    gains = gains_of(experiment)
    first, *others = experiment.ways
    budgets = experiment.budgets
    rows = [[f"`{reference}`: Dice", *(words.spread(experiment.spread(first, budget)) for budget in budgets)]]
    rows += [[f"`{one.method}`", *(gains.get((one, budget), "-") for budget in budgets)] for one in others]
    return words.markdown_table(["difference", *map(str, budgets)], rows)


def duel_table(comparison: str, reference: str, method: str) -> str:
    """Two methods at every budget."""
    experiment = methods_of(comparison, reference, re.escape(method))
    first, second = experiment.ways
    rows = [
        [
            str(one.budget),
            *(words.spread(experiment.spread(way, one.budget)) for way in (first, second)),
            spread(one.by_seed.values()),
            f"{one.seeds.win_rate * one.seeds.n:g} of {one.seeds.n}",
            f"{one.cases.win_rate:.0%}",
            p_over_seeds(one.by_seed.values()),
        ]
        for one in experiment.method_comparisons[second]
        if one.budget is not None
    ]
    titles = [
        "labelled cases",
        f"`{reference}`",
        f"`{method}`",
        "difference",
        "seeds won",
        "patients won",
        "p over seeds",
    ]
    return words.markdown_table(titles, rows)


def campaigns_table(comparison: str, method: str) -> str:
    """Strategies over whole campaigns of one method, and their paired difference from random choice."""
    cells = [cell for cell in cells_of(comparison) if cell.method == method]
    budgets = {cell.budget for cell in cells if cell.strategy != "random"}  # what nobody chose is no campaign
    experiment = Experiment.of([cell for cell in cells if cell.budget in budgets], method)
    rows = []
    for way in experiment.ways:
        levels = [words.spread(experiment.spread(way, budget)) for budget in experiment.budgets]
        over_all = [one for one in experiment.strategy_comparisons.get(way, ()) if one.budget is None]
        gain = [spread(one.by_seed.values()) for one in over_all]
        area = words.spread(experiment.area(way))
        rows.append([f"`{way.strategy}`", *levels, area, *(gain or ["-"])])
    titles = ["strategy", *(f"{budget} labels" for budget in experiment.budgets), "area"]
    return words.markdown_table([*titles, "mean difference from `random`"], rows)
