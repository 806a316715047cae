"""Predictive entropy: the plain uncertainty of the network's prediction.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Entropy"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.ranking import highest


@dataclass(frozen=True)
class Entropy(Strategy):
    """The cases with the highest entropy of the mean of the K predictions, H(mean of p_k)."""

    name = "entropy"
    needs = frozenset({"predictions"})

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest first. Nothing is random."""
        return highest(candidates.scores["entropy"], budget_cases, "how unsure the prediction is (entropy)")
