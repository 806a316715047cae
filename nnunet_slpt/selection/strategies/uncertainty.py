"""Prompt-based uncertainty: the cases on which the tuned network is least sure, as in the paper's TESLA.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["PARTS", "Uncertainty", "prompt_uncertainty"]

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Floats, Strategy
from nnunet_slpt.selection.strategies.parameter_limits import check_word
from nnunet_slpt.selection.strategies.ranking import highest

PARTS = {  # in words that a clinician reads
    "inter_prompt": "how much the model's predictions disagree",
    "intra_prompt": "how unsure each of the model's predictions is",
    "product": "how unsure the model's predictions are times how much they disagree",
    "sum": "how unsure the model's predictions are plus how much they disagree",
}


def prompt_uncertainty(scores: Mapping[str, Floats], part: str) -> Floats:
    """Inter-prompt and intra-prompt uncertainty as one score.

    Args:
        scores: (N,) each, with ``inter_prompt`` and ``intra_prompt``.
        part: a key of ``PARTS``.

    Returns:
        (N,), higher where the network is less sure.
    """
    inter, intra = scores["inter_prompt"], scores["intra_prompt"]
    parts = {"inter_prompt": inter, "intra_prompt": intra, "product": inter * intra, "sum": inter + intra}
    return parts[part].astype(np.float32)  # a copy


@dataclass(frozen=True)
class Uncertainty(Strategy):
    """The cases with the highest prompt-based uncertainty.

    Inter-prompt is the mean KL of each prompt's prediction to their mean, intra-prompt the entropy of the
    predictions. Where that is the mean entropy of the single predictions, the sum of both is the entropy of
    the mean prediction, which ``entropy`` ranks by. The product asks for both and does not depend on their
    scales; it is that of a case's two numbers, not the mean of the voxels' products.

    Args:
        part: a key of ``PARTS``.

    References:
        SLPT (arXiv:2308.04911), TESLA's supervised uncertainty. How the parts are put together is our choice.
    """

    part: str = "product"

    name = "uncertainty"
    needs = frozenset({"predictions"})

    def __post_init__(self) -> None:
        check_word("part", self.part, PARTS)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest first. Nothing is random."""
        return highest(prompt_uncertainty(candidates.scores, self.part), budget_cases, PARTS[self.part])
