"""What a training scored in short, and how trainings with different seeds spread.

Arrays and numbers only. Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = [
    "Spread",
    "budget_area",
    "class_mean",
    "mean",
    "rank_correlation",
    "score",
    "shown_classes",
]

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid
from scipy.stats import spearmanr

from nnunet_slpt.evaluation.cells import Cell

FEWEST_TO_RANK = 5  # a rank correlation of fewer cases says nothing


def mean(values: Iterable[float | None]) -> float | None:
    """Of the values that there are; ``None`` if there is none.

    >>> mean([1.0, None, 0.0])
    0.5
    """
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


@dataclass(frozen=True)
class Spread:
    """Mean and spread of trainings that differ by their seed alone.

    Args:
        mean: of them; ``None`` if there is none.
        sd: sample standard deviation; ``None`` for fewer than two.
        n: how many.
    """

    mean: float | None
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread":
        """Of the values that there are.

        >>> Spread.of([1.0, 3.0, None])
        Spread(mean=2.0, sd=1.4142135623730951, n=2)
        """
        there = [value for value in values if value is not None]
        return cls(mean(there), float(np.std(there, ddof=1)) if len(there) > 1 else None, len(there))


def class_mean(cell: Cell, name: str, metric: str, cases: Collection[str] | None = None) -> float | None:
    """A metric of a class, mean over the test cases in which it is defined.

    Args:
        cell: that was tested.
        name: of the class.
        metric: of ``METRICS``.
        cases: these alone; ``None`` for all.
    """
    return mean(scores[name][metric] for case, scores in cell.test.items() if cases is None or case in cases)


def score(cell: Cell, metric: str = "dice", cases: Collection[str] | None = None) -> float | None:
    """A metric of a cell: the mean over classes of the means over cases, as nnU-Net's ``foreground_mean``.

    Of classes that the cases show: else whoever predicts another one once would have a 0 more in the mean.

    Args:
        cell: that was tested.
        metric: of ``METRICS``.
        cases: these alone; ``None`` for all.
    """
    return mean(class_mean(cell, name, metric, cases) for name in shown_classes(cell, cases))


def shown_classes(cell: Cell, cases: Collection[str] | None = None) -> list[str]:
    """The classes that are there in the truth of one of the test cases or more.

    Args:
        cell: any that was tested on them: the truth is the same.
        cases: these alone; ``None`` for all.
    """
    of_cases = [scores for case, scores in cell.test.items() if cases is None or case in cases]
    return [name for name in cell.classes if not all(_not_there(one[name]) for one in of_cases)]


def _not_there(scores: Mapping[str, float | None]) -> bool:
    """Whether a class is not in the truth of a case, by what its scores are then (``case_scores``)."""
    falsely_predicted = scores["lesion_recall"] is None and scores["lesion_precision"] is not None
    return scores["dice"] is None or falsely_predicted


def budget_area(curve: Mapping[int, float]) -> float:
    """The area under a curve over budgets, by the trapezoidal rule, divided by its width.

    The axis is logarithmic: each doubling of the labels counts the same. On a linear axis the step to the
    largest budget, where every method is good, would be nearly all of the area.

    Args:
        curve: budget → score, of two budgets or more.

    Returns:
        On the scale of the scores: a flat curve has its own height as area.

    >>> budget_area({5: 0.5, 10: 0.7, 40: 0.7})
    0.6666666666666665
    """
    budgets = sorted(curve)
    doublings = np.log2(budgets)
    area = trapezoid([curve[budget] for budget in budgets], doublings)
    return float(area / (doublings[-1] - doublings[0]))


def rank_correlation(cell: Cell) -> tuple[float | None, int]:
    """Does the strategy's score of a case in the pool tell how wrong its prediction is?

    Args:
        cell: with a pool.

    Returns:
        Spearman's rank correlation of uncertainty and 1 − Dice: 1 if the order is the same, 0 if there is no
        relation; ``None`` with fewer than five cases, or if all are equal. And the number of cases.
    """
    both = [
        (one.uncertainty, 1 - one.dice)
        for one in cell.pool.values()
        if one.uncertainty is not None and one.dice is not None
    ]
    if len(both) < FEWEST_TO_RANK or any(len(set(values)) == 1 for values in zip(*both, strict=True)):
        return None, len(both)
    uncertainty, error = zip(*both, strict=True)
    return float(spearmanr(uncertainty, error).statistic), len(both)
