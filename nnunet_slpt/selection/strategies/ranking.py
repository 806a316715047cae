"""The strategies that rank by one score and take the highest.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Bald", "Entropy", "PromptDice", "highest"]

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy, choose_highest


def highest(values: NDArray[np.floating], budget_cases: int, what: str) -> Choice:
    """The cases with the highest values; of equal ones the first by name.

    Args:
        values: (N,).
        budget_cases: how many.
        what: the values' meaning in words, to follow "by".
    """
    values = values.astype(np.float32)
    chosen = tuple(choose_highest(values, budget_cases))
    reasons = tuple(f"Rank {rank} of {len(values)} by {what}" for rank in range(1, len(chosen) + 1))
    return Choice(chosen, values, reasons)


class _ByOneScore(Strategy):
    """The cases with the highest score."""

    needs = frozenset({"predictions"})
    score: ClassVar[str]
    words: ClassVar[str]

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest first. Nothing is random."""
        return highest(candidates.scores[self.score], budget_cases, self.words)


@dataclass(frozen=True)
class Entropy(_ByOneScore):
    """The plain uncertainty: the entropy of the mean of the K predictions p_k, H(mean of p_k)."""

    name = "entropy"
    score = "entropy"
    words = "how unsure the model is"


@dataclass(frozen=True)
class Bald(_ByOneScore):
    """The mutual information between the prompt and the prediction.

    BALD is H(mean of p_k) − mean of H(p_k) over the members of an ensemble. With the K prompts as members
    this is the mean KL of p_k to their mean: the inter-prompt uncertainty. So the ranking is that of
    ``uncertainty`` with ``part = "inter_prompt"``, under the name that others know.

    References:
        Houlsby et al. (arXiv:1112.5745), equation 2.
    """

    name = "bald"
    score = "inter_prompt"
    words = "how much the model's predictions disagree"


@dataclass(frozen=True)
class PromptDice(_ByOneScore):
    """How little the K segmentations S_k overlap: 1 − Dice, the mean over pairs of prompts and over classes.

    Dice of two prompts and a class is 2 |S_k ∩ S_l| / (|S_k| + |S_l|), over the classes that either has. The
    disagreement in the measure by which the result is judged: a small lesion counts as much as a large organ.

    References:
        Ours; SLPT (arXiv:2308.04911) tells how far predictions lie apart by their KL to the mean.
    """

    name = "prompt_dice"
    score = "prompt_dice"
    words = "how little the model's segmentations overlap"
