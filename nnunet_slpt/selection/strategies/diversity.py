"""Diversity: cases that cover the pool, the farthest first.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Diversity"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.distances import nearest
from nnunet_slpt.selection.strategies.k_center import k_center


@dataclass(frozen=True)
class Diversity(Strategy):
    """Greedy k-center: each case in turn is the one farthest from all labelled and chosen ones.

    If nothing is labelled, the first is the case nearest to the mean.

    References:
        Core-set: Sener and Savarese (arXiv:1708.00489).
    """

    name = "diversity"
    needs = frozenset({"features"})

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The cases in the order in which they cover the pool; values are distances. Nothing is random."""
        features, labelled = candidates.features, candidates.labelled_features
        mean = features.mean(axis=0, dtype=np.float64, keepdims=True)
        first = int(nearest(features, mean.astype(np.float32))[1].argmin()) if len(labelled) == 0 else 0
        chosen, values = k_center(features, labelled, budget_cases, first)
        reasons = [f"Least like any labelled or chosen case (distance {values[row]:.4g})" for row in chosen]
        if len(labelled) == 0:
            reasons[0] = "Nearest to the average of all cases"
        return Choice(tuple(chosen), values, tuple(reasons))
