"""Random choice: the baseline that needs nothing.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Random", "random_order"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Floats, Strategy, choose_highest


def random_order(cases: int, rng: np.random.Generator) -> Floats:
    """A random order as N different numbers above 0 and at most 1, the first case with the highest. (N,)."""
    return ((rng.permutation(cases) + 1) / cases).astype(np.float32)


@dataclass(frozen=True)
class Random(Strategy):
    """Each set of cases with the same probability."""

    name = "random"
    needs = frozenset()

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The first cases of a random order."""
        values = random_order(len(candidates.names), rng)
        return Choice(
            tuple(choose_highest(values, budget_cases)), values, ("Drawn at random",) * budget_cases
        )
