"""Foreground-aware random choice: a research baseline that looks at the labels.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["ForegroundRandom"]

import math
from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy, choose_highest
from nnunet_slpt.selection.strategies.parameter_limits import check_number
from nnunet_slpt.selection.strategies.random import random_order


@dataclass(frozen=True)
class ForegroundRandom(Strategy):
    """A part of the budget at random from the cases that have foreground, the rest at random from all.

    It reads the labels before it chooses. So it can be used on a data set that is labelled already, to
    compare with, and not on a pool that is to be labelled.

    Args:
        foreground_share: the part of the budget, rounded up, that is drawn among cases with foreground.

    References:
        nnActive (Lüth et al., TMLR 2025, arXiv:2511.19183). It draws patches and not cases, a third or two
        thirds of them in or at the border of foreground; half of the budget is our choice.
    """

    foreground_share: float = 0.5

    name = "foreground_random"
    needs = frozenset({"labels"})

    def __post_init__(self) -> None:
        check_number("foreground_share", self.foreground_share, 0, 1)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """First those with foreground, as far as there are any, then the others."""
        foreground = candidates.foreground_voxels > 0
        # Rounded first, because 0.07 * 100 is a little more than 7.
        wanted = math.ceil(round(self.foreground_share * budget_cases, 9))
        wanted = min(wanted, int(foreground.sum()))
        order = random_order(len(foreground), rng)
        first = choose_highest(np.where(foreground, order, np.float32(0)), wanted)
        # A second order: in the first one, the foreground that is left has the lower numbers.
        values = random_order(len(foreground), rng)
        values[first] = 1 + order[first]
        chosen = choose_highest(values, budget_cases)
        reasons = ("Drawn at random among cases with foreground in their label",) * wanted
        reasons += ("Drawn at random among all cases",) * (budget_cases - wanted)
        return Choice(tuple(chosen), values, reasons)
