"""Hybrid: diverse cases among the uncertain ones. Steps 1, 2, … of TESLA.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Hybrid"]

import math
from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy, choose_highest
from nnunet_slpt.selection.strategies.k_center import k_center
from nnunet_slpt.selection.strategies.parameter_limits import check_number, check_word
from nnunet_slpt.selection.strategies.uncertainty import PARTS, prompt_uncertainty


@dataclass(frozen=True)
class Hybrid(Strategy):
    """The ``pool_factor`` × budget most uncertain cases, and of these the ones that k-center chooses.

    With a factor of 1 it is ``uncertainty``, with a very large one ``diversity``. If nothing is labelled,
    k-center begins with the most uncertain case.

    Args:
        pool_factor: how many times the budget are looked at.
        part: the uncertainty, as in ``uncertainty``.

    References:
        The combination is ours. Its parts: the uncertainty of SLPT (arXiv:2308.04911), TESLA; k-center of
        Sener and Savarese (arXiv:1708.00489), algorithm 1.
    """

    pool_factor: float = 3.0
    part: str = "product"

    name = "hybrid"
    needs = frozenset({"features", "predictions"})

    def __post_init__(self) -> None:
        check_number("pool_factor", self.pool_factor, 1)
        check_word("part", self.part, PARTS)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """In k-center's order; values are uncertainties. Nothing is random."""
        features, labelled = candidates.features, candidates.labelled_features
        values = prompt_uncertainty(candidates.scores, self.part)
        size = min(len(values), math.ceil(round(self.pool_factor * budget_cases, 9)))
        ranked = choose_highest(values, size)
        rows = np.sort(ranked)  # by name again, for ties
        first = int(np.searchsorted(rows, ranked[0]))
        chosen = [int(row) for row in rows[k_center(features[rows], labelled, budget_cases, first)[0]]]
        rank = {row: place for place, row in enumerate(ranked, 1)}
        ranks = [f"Rank {rank[row]} of {len(values)} by {PARTS[self.part]}" for row in chosen]
        unlike = f"; of the first {size}, the least like any labelled or chosen case"
        # Where nothing is labelled, the first is like or unlike none.
        alone = 1 if len(labelled) == 0 else 0
        reasons = (*ranks[:alone], *(words + unlike for words in ranks[alone:]))
        return Choice(tuple(chosen), values, reasons)
