"""Cluster uncertainty: of each group of similar cases the most uncertain one that is typical of it.

numpy and scikit-learn: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is
beside it.
"""

__all__ = ["ClusterUncertainty"]

import math
from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.checks import given
from nnunet_slpt.selection.strategies.clusters import choose_from_groups, group_cases
from nnunet_slpt.selection.strategies.diversity import labelled_of
from nnunet_slpt.selection.strategies.parameter_limits import check_number, check_word
from nnunet_slpt.selection.strategies.uncertainty import PARTS, prompt_uncertainty

_AS_NEAR = 1 + 1e-4  # times as far: both cases of a pair are equally far from its centre


@dataclass(frozen=True)
class ClusterUncertainty(Strategy):
    """As many groups as labelled cases and budget; of each without a label the most uncertain typical case.

    Groups as in ``kmeans``. Typical are the cases nearest to their group's centre: the most uncertain of all
    are often alike, or odd. The others come last.

    Args:
        typical_share: of each group, rounded up; cases that are equally near are typical together.
        part: the uncertainty, as in ``uncertainty``.

    References:
        Ours. Uncertain cases of different clusters: Cluster-Margin (arXiv:2107.14263).
    """

    typical_share: float = 0.5
    part: str = "product"

    name = "cluster_uncertainty"
    needs = frozenset({"features", "predictions"})

    def __post_init__(self) -> None:
        check_number("typical_share", self.typical_share, 0, 1)
        check_word("part", self.part, PARTS)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """Larger groups first; values are uncertainties."""
        features, labelled = given(candidates.features, "features"), labelled_of(candidates)
        values = prompt_uncertainty(candidates.scores, self.part)
        groups = group_cases(features, labelled, len(labelled) + budget_cases, rng)
        rank = np.empty(len(values), np.int64)
        rank[np.argsort(-values, kind="stable")] = np.arange(len(values))
        wanted = -rank.astype(np.float32)
        for rows in filter(len, groups.members()):
            distance = groups.distance[rows]
            place = max(math.ceil(self.typical_share * len(rows)), 1) - 1
            wanted[rows[distance <= np.sort(distance)[place] * _AS_NEAR]] += len(values)
        chosen = choose_from_groups(groups, wanted, budget_cases)
        reasons = tuple(
            f"In a group of {groups.sizes[groups.group[row]]} similar cases, and rank {rank[row] + 1} of "
            f"{len(values)} by {PARTS[self.part]}"
            for row in chosen
        )
        return Choice(tuple(chosen), values, reasons)
