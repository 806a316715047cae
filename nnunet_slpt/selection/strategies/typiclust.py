"""TypiClust: the most typical case of each group of similar ones.

numpy and scikit-learn: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is
beside it.
"""

__all__ = ["TypiClust", "typicality"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Floats, Strategy
from nnunet_slpt.selection.strategies.clusters import choose_from_groups, group_cases
from nnunet_slpt.selection.strategies.distances import distances
from nnunet_slpt.selection.strategies.parameter_limits import check_number

# Each case is compared with this many of its group at most: time grows with the pool and not its square.
_COMPARED = 2000
_BLOCK_ROWS = 1024
_TINY = 1e-12


def typicality(features: Floats, neighbours: int, rng: np.random.Generator) -> Floats:
    """How closely a case's nearest neighbours lie around it: the inverse of their mean distance.

    Half of the group is looked at if that is less than ``neighbours``. Of a group with more than 2,000
    cases, each case is compared with the same 2,000, drawn at random.

    Args:
        features: (N, F), of one group.
        neighbours: how many.
        rng: for groups above 2,000 cases.

    Returns:
        (N,), above 0; 0 for a case that is alone.

    References:
        Hacohen et al. (arXiv:2202.02794), equation 4.
    """
    count = len(features)
    if count < 2:
        return np.zeros(count, np.float32)
    compared = np.arange(count)
    if count > _COMPARED:
        compared = np.sort(rng.choice(count, _COMPARED, replace=False))
    neighbours = max(1, min(neighbours, len(compared) // 2))
    mean = np.empty(count, np.float32)
    for start in range(0, count, _BLOCK_ROWS):
        block = np.arange(start, min(start + _BLOCK_ROWS, count))
        table = distances(features[block], features[compared])
        table[block[:, None] == compared] = np.inf  # a case is not its own neighbour
        mean[block] = np.partition(table, neighbours - 1, axis=1)[:, :neighbours].mean(1)
    return (1 / np.maximum(mean, _TINY)).astype(np.float32)


@dataclass(frozen=True)
class TypiClust(Strategy):
    """As many groups as labelled cases and budget; of the largest without a label the most typical case.

    For small budgets, where outliers are a waste. Groups are made by k-means from candidates and labelled
    cases together. When there are fewer groups than cases to choose, groups with one label come next.

    Args:
        neighbours: how many define what is typical.
        max_groups: the number of groups is not larger than this.

    References:
        Hacohen et al. (arXiv:2202.02794), algorithm 1, with its 20 neighbours and 500 groups.
    """

    neighbours: int = 20
    max_groups: int = 500

    name = "typiclust"
    needs = frozenset({"features"})

    def __post_init__(self) -> None:
        check_number("neighbours", self.neighbours, 1, whole=True)
        check_number("max_groups", self.max_groups, 1, whole=True)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """Larger groups first; values are typicalities within the own group."""
        features, labelled = candidates.features, candidates.labelled_features
        count = min(len(labelled) + budget_cases, self.max_groups)
        groups = group_cases(features, labelled, count, rng)
        values = np.zeros(len(features), np.float32)
        for rows in groups.members():
            values[rows] = typicality(features[rows], self.neighbours, rng)
        chosen = choose_from_groups(groups, values, budget_cases)
        sizes = groups.sizes[groups.group[chosen]]
        reasons = tuple(f"The most typical of a group of {size} similar cases" for size in sizes)
        return Choice(tuple(chosen), values, reasons)
