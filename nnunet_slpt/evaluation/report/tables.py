"""The tables of a report: ``table.md`` for people, ``table.csv`` with a row for each cell.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["METRIC_NAMES", "all_tables", "cells_as_csv", "missing_in_words", "wide_table"]

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from nnunet_slpt.evaluation.cells import COSTS, Cell, Folder
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.means import Spread, class_mean, rank_correlation, score
from nnunet_slpt.evaluation.pairs import FEWEST_TO_TEST, Comparison
from nnunet_slpt.evaluation.report.words import (
    NOTHING,
    amount,
    markdown_table,
    number,
    p_value,
    points,
    spread,
    way,
)
from nnunet_slpt.evaluation.scores import METRICS

METRIC_NAMES = {
    "dice": "Dice",
    "nsd": "Normalised surface distance",
    "lesion_dice": "Dice by lesion",
    "lesion_precision": "Precision of lesions",
    "lesion_recall": "Recall of lesions",
}
SECONDS = ("train_seconds", "select_seconds", "predict_seconds")
GIB = 2**30


def all_tables(experiment: Experiment, folder: Folder) -> str:
    """Everything there is to tell, in Markdown."""
    sections = [
        f"# {experiment.cells[0].dataset}: all tables",
        "Mean ± standard deviation over seeds (number of seeds); columns are numbers of labelled cases.",
        *_scores(experiment),
        *_differences(experiment),
        "## Area under the budget curve",
        _areas(experiment),
        "## Does uncertainty tell where the prediction is wrong?",
        _calibration(experiment),
        "## Costs",
        _costs(experiment),
        "## What is missing",
        *missing_in_words(experiment, folder),
    ]
    return "\n\n".join(sections) + "\n"


def wide_table(experiment: Experiment, metric: str = "dice", name: str | None = None) -> str:
    """Ways by budgets, of one class or as mean over all."""
    rows = (
        [way(one), *(spread(experiment.spread(one, budget, metric, name)) for budget in experiment.budgets)]
        for one in experiment.ways
    )
    return markdown_table(["labelled cases", *map(str, experiment.budgets)], rows)


def missing_in_words(experiment: Experiment, folder: Folder) -> list[str]:
    """What the grid lacks, and which files are no cells: paragraphs and lists, at least one."""
    gaps = [
        f"- {way(one)}, {budget} labels: seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
        for one, budget, seeds in experiment.missing()
    ]
    said = ["Of the trainings that others have, these are not there:", "\n".join(gaps)] if gaps else []
    if experiment.never_run:
        never = ", ".join(way(one) for one in experiment.never_run)
        said.append(f"Never run together: {never}.")
    if folder.left_out:
        files = "\n".join(f"- `{name}`: {reason}" for name, reason in folder.left_out.items())
        said += ["Files in the folder that are no finished cells:", files]
    return said or ["Nothing."]


def _scores(experiment: Experiment) -> Iterator[str]:
    for metric in METRICS:
        if all(score(cell, metric) is None for cell in experiment.cells):
            continue
        yield f"## {METRIC_NAMES[metric]}"
        yield wide_table(experiment, metric)
        for name in experiment.classes if len(experiment.classes) > 1 else ():
            yield f"### {METRIC_NAMES[metric]}: {name}"
            yield wide_table(experiment, metric, name)


def _differences(experiment: Experiment) -> Iterator[str]:
    method, strategy = experiment.reference
    for title, comparisons in (
        (f"Methods against {method}", experiment.method_comparisons),
        (f"Strategies against {strategy}", experiment.strategy_comparisons),
    ):
        if comparisons:
            yield f"## {title}"
            yield (
                "Differences of Dice in points (hundredths), at the same budget and seed and on the same "
                "test cases. *Won*: share of seeds, or test cases, in which it is ahead. *p*: Wilcoxon's "
                "signed-rank test, two-sided, not corrected for the number of rows; none below "
                f"{FEWEST_TO_TEST} pairs, where it cannot be small."
            )
            yield _difference_table(comparisons)


def _difference_table(comparisons: Mapping[Way, list[Comparison]]) -> str:
    """Ways and budgets by what they are ahead of the reference, over seeds and over test cases."""
    header = ["", "labels", "difference", "sd", "seeds", "won", "p", "test cases", "won", "p"]
    rows = (
        [
            way(one),
            "all" if each.budget is None else str(each.budget),
            points(each.seeds.mean),
            number(None if each.seeds.sd is None else 100 * each.seeds.sd, 1),
            *(
                text
                for pairs in (each.seeds, each.cases)
                for text in (str(pairs.n), f"{pairs.win_rate:.0%}", p_value(pairs.p))
            ),
        ]
        for one, many in comparisons.items()
        for each in many
    )
    return markdown_table(header, rows)


def _areas(experiment: Experiment) -> str:
    budgets = experiment.area_budgets
    if len(budgets) < 2:
        return "None: there are not two budgets that all have in common."
    rows = ([way(one), spread(experiment.area(one))] for one in experiment.ways)
    said = (
        f"Mean Dice over the budgets {', '.join(map(str, budgets))}, each doubling of the labels counting "
        "the same. Seeds that lack one of them are left out."
    )
    return f"{said}\n\n{markdown_table(['', 'area'], rows)}"


def _calibration(experiment: Experiment) -> str:
    found = {
        one: [_correlations(experiment, one, budget) for budget in experiment.budgets]
        for one in experiment.ways
    }
    rows = [
        [way(one), *(spread(each, 2) for each in of_budgets)]
        for one, of_budgets in found.items()
        if any(each.n for each in of_budgets)
    ]
    if not rows:
        return "No cell has scores of the pool."
    said = (
        "Spearman's rank correlation between the strategy's score of a case in the pool and 1 - Dice: 1 if "
        "the cases it finds most uncertain are the worst predicted ones, 0 if there is no relation."
    )
    return f"{said}\n\n{markdown_table(['labelled cases', *map(str, experiment.budgets)], rows)}"


def _correlations(experiment: Experiment, one: Way, budget: int) -> Spread:
    return Spread.of(rank_correlation(cell)[0] for cell in experiment.select(one, budget))


def _costs(experiment: Experiment) -> str:
    seconds = (name.replace("_seconds", " s") for name in SECONDS)
    header = ["mean over cells", "tuned", "of", "share", *seconds, "peak GiB"]
    return markdown_table(header, (_cost_row(experiment, one) for one in experiment.ways))


def _cost_row(experiment: Experiment, one: Way) -> list[str]:
    cells = experiment.select(one)
    means = {name: Spread.of(cell.costs[name] for cell in cells).mean for name in COSTS}
    tuned, parameters, memory = (
        means[name] for name in ("tuned_parameters", "parameters", "peak_memory_bytes")
    )
    return [
        way(one),
        amount(tuned),
        amount(parameters),
        NOTHING if tuned is None or not parameters else f"{tuned / parameters:.1%}",
        *(number(means[name], 1) for name in SECONDS),
        number(None if memory is None else memory / GIB, 2),
    ]


def cells_as_csv(cells: tuple[Cell, ...]) -> str:
    """A row for each cell: what it is, all its scores, costs, and how it was run."""
    stream = io.StringIO()
    rows = [_row(cell) for cell in cells]
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _row(cell: Cell) -> dict[str, Any]:
    correlation, ranked = rank_correlation(cell)
    return {
        "dataset": cell.dataset,
        "method": cell.method,
        "strategy": cell.strategy,
        "budget": cell.budget,
        "seed": cell.seed,
        "test_cases": len(cell.test),
        **{metric: score(cell, metric) for metric in METRICS},
        **{
            f"{metric} {name}": class_mean(cell, name, metric)
            for name in sorted(cell.classes)
            for metric in METRICS
        },
        "uncertainty_correlation": correlation,
        "pool_cases": ranked,
        **cell.costs,
        **{
            key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for key, value in cell.shown.items()
        },
    }
