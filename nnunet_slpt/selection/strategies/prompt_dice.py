"""Prompt Dice: how little the K segmentations overlap.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["PromptDice"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.ranking import highest


@dataclass(frozen=True)
class PromptDice(Strategy):
    """The cases with the highest 1 − expected Dice between the prompts' predictions.

    The disagreement in the measure by which the result is judged: a small lesion counts as much as a large
    organ.
    """

    name = "prompt_dice"
    needs = frozenset({"predictions"})

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest first. Nothing is random."""
        return highest(
            candidates.scores["prompt_dice"], budget_cases, "how little the prompts' segmentations overlap"
        )
