"""Is one better than the other? Paired differences, how often they are won, and what a test says.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["FEWEST_TO_TEST", "Comparison", "Paired", "compare"]

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.stats import wilcoxon

from nnunet_slpt.evaluation.cells import Cell
from nnunet_slpt.evaluation.means import Spread, mean, score, shown_classes

Key = TypeVar("Key", int, str)

# With five pairs the smallest two-sided p of a signed-rank test is 2 / 2**5 = 0.0625, whatever they hold.
FEWEST_TO_TEST = 6


@dataclass(frozen=True)
class Paired:
    """Differences between two, pair by pair.

    Args:
        mean: of the differences; above 0 the first is better.
        sd: their sample standard deviation; ``None`` for a single pair.
        n: how many pairs.
        win_rate: share of the pairs that the first wins; a tie counts half.
        p: two-sided, of Wilcoxon's signed-rank test; ``None`` for fewer than ``FEWEST_TO_TEST`` pairs that
            differ, where it cannot be small.
    """

    mean: float
    sd: float | None
    n: int
    win_rate: float
    p: float | None

    @classmethod
    def of(cls, differences: Sequence[float]) -> "Paired | None":
        """Of at least one difference, else ``None``.

        >>> Paired.of([0.25, 0.0])
        Paired(mean=0.125, sd=0.1767766952966369, n=2, win_rate=0.75, p=None)
        """
        if not differences:
            return None
        spread = Spread.of(differences)
        # Scores are means of many: what is equal but for rounding is a tie.
        values = np.round(differences, 12)
        differ = values[values != 0]
        return cls(
            mean=float(np.mean(differences)),
            sd=spread.sd,
            n=spread.n,
            win_rate=float(np.mean((np.sign(values) + 1) / 2)),
            p=float(wilcoxon(differ).pvalue) if len(differ) >= FEWEST_TO_TEST else None,
        )


@dataclass(frozen=True)
class Comparison:
    """Two ways to train, at one budget or over all.

    Args:
        budget: of both; ``None`` for all budgets together, over the seeds that have them all.
        seeds: a pair is a seed: would it hold with other labelled cases and another initialisation?
        cases: a pair is a test case, mean over seeds: would it hold for other patients?
        by_seed: seed → difference.
    """

    budget: int | None
    seeds: Paired
    cases: Paired
    by_seed: Mapping[int, float]


def compare(first: Sequence[Cell], second: Sequence[Cell]) -> list[Comparison]:
    """Compare the Dice of two lists of cells, where both have the same budget and seed, on common test cases.

    Args:
        first: cells of one method and strategy.
        second: cells of another.

    Returns:
        One for each budget that both have, the smallest first; then, of several, one for all together, of the
        seeds that have all of them, if there are such: each seed, and each case, counts once with its mean.
    """
    others = {(cell.budget, cell.seed): cell for cell in second}
    pairs = [(cell, others[cell.budget, cell.seed]) for cell in first if (cell.budget, cell.seed) in others]
    budgets = sorted({cell.budget for cell, _ in pairs})
    found = [_compare([pair for pair in pairs if pair[0].budget == budget], budget) for budget in budgets]
    if len(budgets) > 1:
        times = Counter(cell.seed for cell, _ in pairs)
        found.append(_compare([pair for pair in pairs if times[pair[0].seed] == len(budgets)], None))
    return [one for one in found if one]


def _compare(pairs: Sequence[tuple[Cell, Cell]], budget: int | None) -> Comparison | None:
    by_seed: dict[int, list[float | None]] = defaultdict(list)
    by_case: dict[str, list[float | None]] = defaultdict(list)
    for first, second in pairs:
        common = first.test.keys() & second.test.keys()
        by_seed[first.seed].append(_minus(score(first, cases=common), score(second, cases=common)))
        classes = shown_classes(first, common)
        for case in sorted(common):
            by_case[case].append(_case_difference(first, second, case, classes))
    of_seeds, of_cases = _means(by_seed), _means(by_case)
    seeds, cases = Paired.of([*of_seeds.values()]), Paired.of([*of_cases.values()])
    return Comparison(budget, seeds, cases, of_seeds) if seeds and cases else None


def _means(differences: Mapping[Key, Sequence[float | None]]) -> dict[Key, float]:
    means = {key: mean(values) for key, values in sorted(differences.items())}
    return {key: value for key, value in means.items() if value is not None}


def _case_difference(first: Cell, second: Cell, case: str, classes: Collection[str]) -> float | None:
    """Of the mean Dice over classes, of those that one of the two defines.

    Where a class is not there and one of the two predicts it nevertheless, that one has 0, and the other,
    which is right, has nothing: here it counts as 1.
    """
    ours, theirs = ({name: one.test[case][name]["dice"] for name in classes} for one in (first, second))
    defined = [name for name in ours if ours[name] is not None or theirs[name] is not None]
    both = ([1.0 if one[name] is None else one[name] for name in defined] for one in (ours, theirs))
    return _minus(*map(mean, both))


def _minus(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
