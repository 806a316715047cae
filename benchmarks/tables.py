"""The tables of the README and of the pages on evidence and strategies, from the JSON files in `results/`.

    python benchmarks/tables.py

rewrites what stands between two comments that say where a block starts and ends: every figure there has a
file here.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from query_tables import errors_table, pairs_table, queries_table, spread

from nnunet_slpt.evaluation.cells import Cell, read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.means import mean
from nnunet_slpt.evaluation.report import words

HERE = Path(__file__).parent
EXPLANATION = HERE.parent / "docs" / "explanation"
TASKS = {
    "hippocampus_small_300": "hippocampus, 300",
    "lesions_300": "synthetic lesions, 300",
    "heart_small_300": "heart, 300, AdamW at a rate of 0.01",
    "heart_small_1000": "heart, 1,000",
    "heart_middle_1000": "heart, middle network, 1,000",
}
METHODS_NOW = {
    "full_adamw": "full fine-tuning, AdamW",
    "slpt_k1": "SLPT, K = 1",
    "slpt": "SLPT, K = 3 (default)",
}
# Where full fine-tuning is better at another rate, it is compared at that.
BETTER = {"heart_small_300": {"full_adamw": "full_adamw_fast"}}
# Names of methods.
BASELINES = r"slpt|(?!slpt_|punet).*"
PARTS_OF_ONE = r"slpt_k1_.*"
PARTS_OF_ALL = r"slpt_(?!k1_).*"
# Block of the page on evidence → its tables: comparison, labelled cases, what to compare with, the others.
METHODS_TABLES = {
    "baselines": [("hippocampus_small_300", 5, "slpt_k1", BASELINES)],
    "ablation": [
        ("hippocampus_small_300", 5, "slpt_k1", PARTS_OF_ONE),
        ("hippocampus_small_300", 5, "slpt", PARTS_OF_ALL),
    ],
    "heart_baselines": [("heart_small_300", 4, "slpt_k1", BASELINES)],
    "heart_ablation": [("heart_small_300", 4, "slpt_k1", PARTS_OF_ONE)],
}
# Block of the page on evidence → its table over all budgets: comparison, what to compare with, the others.
BUDGETS_TABLES = {
    "baselines_by_budget": ("hippocampus_small_300", "slpt_k1", BASELINES),
    "heart_baselines_by_budget": ("heart_small_300", "slpt_k1", BASELINES),
}
METHODS_HEADER = ("method", "tuned", "Dice", "against `{}`", "patients won", "p")
# Block of the page on evidence → its table of two methods: comparison, methods.
DUELS = {
    "hippocampus_duel": ("hippocampus_small_300", "full_adamw", "slpt_k1"),
    "heart_duel": ("heart_small_300", "full_adamw_fast", "slpt_k1"),
}
PUNETS = {"hippocampus_punet_150": "hippocampus, 150", "heart_punet_150": "heart, 150"}
PUNET_METHODS = {"punet_full": "tokens and the whole body", "punet": "tokens alone"}
# The same task from other pretrained networks: comparisons, methods, labelled cases, heading.
PRETRAINED = (
    {
        "hippocampus_small_300": "the whole hippocampus, 2,500 steps",
        "hippocampus_weaker_300": "the same, 250 steps",
        "hippocampus_restored_300": "images to restore, no labels, 750 steps",
        "hippocampus_from_heart_300": "a heart's left ventricle on MR",
        "hippocampus_from_ct_300": "an organ on synthetic CT",
    },
    {name: METHODS_NOW[name] for name in ("full_adamw", "slpt_k1")},
    (5,),
    "pretrained on, labelled cases",
)
# Block of the page on strategies → comparison, method.
CAMPAIGNS = {"campaigns": ("heart_small_300", "slpt"), "lesion_campaigns": ("lesions_second_300", "slpt")}


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
            row += [spread(gains), f"{each.cases.win_rate:.0%}", words.p_value(each.cases.p)]
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
            words.p_value(one.cases.p),
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
        "p",
    ]
    return words.markdown_table(titles, rows)


def campaigns_table(comparison: str, method: str) -> str:
    """Strategies over whole campaigns of one method, and their paired difference from random choice."""
    experiment = Experiment.of([cell for cell in cells_of(comparison) if cell.method == method], method)
    rows = []
    for way in experiment.ways:
        levels = [words.spread(experiment.spread(way, budget)) for budget in experiment.budgets]
        over_all = [one for one in experiment.strategy_comparisons.get(way, ()) if one.budget is None]
        gain = [f"{spread(one.by_seed.values())}, p {words.p_value(one.cases.p)}" for one in over_all]
        area = words.spread(experiment.area(way))
        rows.append([f"`{way.strategy}`", *levels, area, *(gain or ["-"])])
    titles = ["strategy", *(f"{budget} labels" for budget in experiment.budgets), "area"]
    return words.markdown_table([*titles, "mean difference from `random`"], rows)


def step_table(reports: list[dict[str, Any]]) -> str:
    """Ratios of time and memory to stock full fine-tuning."""
    rows = []
    for report in reports:
        for name, row in report["networks"].items():
            ratios = [f"{one['median']:.2f}" for one in row["ratio to plain"].values()]
            memory = row["peak MiB"]
            ratios.append(f"{memory['step K=3'] / memory['plain step']:.2f}")
            rows.append([f"{name}, {report['settings']['device']}", *ratios])
    titles = ["one prompt's pass", "step, K = 3", "inference, K = 3", "peak memory"]
    return words.markdown_table(["network, device", *titles], rows)


def read(folder: str) -> list[dict[str, Any]]:
    """All results in a folder."""
    return [json.loads(path.read_text()) for path in sorted((HERE / "results" / folder).glob("*.json"))]


def put(document: Path, blocks: list[str], name: str = "figures") -> None:
    """Between the two comments of that name in a document."""
    start, end = (f"<!-- {name}:{edge} -->" for edge in ("start", "end"))
    before, rest = document.read_text().split(start)
    document.write_text(f"{before}{start}\n\n" + "\n\n".join(blocks) + f"\n\n{end}{rest.split(end)[1]}")


def main() -> int:
    queries = read("queries")
    reports = [json.loads(path.read_text()) for path in sorted((HERE / "results").glob("step_*.json"))]
    put(
        HERE.parent / "README.md",
        [
            "Mean Dice on the test cases, mean ± standard deviation over random subsets of labelled cases "
            "(their number); differences are those on the same subset (`benchmarks/evidence.py`):",
            evidence_table(TASKS, METHODS_NOW),
            "Time and memory as multiples of stock full fine-tuning (`make bench`):",
            step_table(reports),
        ],
    )
    put(
        EXPLANATION / "strategies.md",
        [
            queries_table(queries),
            "Spearman's rank correlation of each score with 1 - Dice, over the cases that were left to "
            "choose from:",
            errors_table(queries),
        ],
    )
    put(EXPLANATION / "strategies.md", [pairs_table(queries)], "pairs")
    for block, one in CAMPAIGNS.items():
        put(EXPLANATION / "strategies.md", [campaigns_table(*one)], block)
    for block, tables in METHODS_TABLES.items():
        put(EXPLANATION / "evidence.md", [methods_table(*one) for one in tables], block)
    for block, one in DUELS.items():
        put(EXPLANATION / "evidence.md", [duel_table(*one)], block)
    for block, one in BUDGETS_TABLES.items():
        put(EXPLANATION / "evidence.md", [budgets_table(*one)], block)
    put(EXPLANATION / "evidence.md", [evidence_table(*PRETRAINED)], "pretrained")
    put(EXPLANATION / "evidence.md", [evidence_table(PUNETS, PUNET_METHODS)], "punet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
