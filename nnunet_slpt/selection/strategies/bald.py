"""BALD: the mutual information between the prompt and the prediction.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["Bald"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.ranking import highest


@dataclass(frozen=True)
class Bald(Strategy):
    """The same ranking as ``uncertainty`` with ``part = "inter_prompt"``, under the name that others know.

    BALD is H(mean of p_k) − mean of H(p_k) over the members of an ensemble. With the K prompts as members
    this is the mean KL of p_k to their mean: the inter-prompt uncertainty.

    References:
        Houlsby et al. (arXiv:1112.5745), equation 2.
    """

    name = "bald"
    needs = frozenset({"predictions"})

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest first. Nothing is random."""
        return highest(
            candidates.scores["inter_prompt"], budget_cases, "how much the prompts' predictions disagree"
        )
