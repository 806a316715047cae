"""PowerBALD: BALD with noise, so that a batch is not many copies of one kind of case.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["PowerBald"]

from dataclasses import dataclass, replace

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.parameter_limits import check_number
from nnunet_slpt.selection.strategies.power_noise import power_noise
from nnunet_slpt.selection.strategies.ranking import highest


@dataclass(frozen=True)
class PowerBald(Strategy):
    """Draws cases with a probability proportional to BALD^β, without putting back.

    Args:
        beta: the exponent; small is nearly random, large is nearly ``bald``.

    References:
        Kirsch et al. (arXiv:2106.12059), section 4, with its β = 1.
    """

    beta: float = 1.0

    name = "power_bald"
    needs = frozenset({"predictions"})

    def __post_init__(self) -> None:
        check_number("beta", self.beta, 0, above=True)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The highest of log BALD + Gumbel / β first; values are BALD alone."""
        bald = candidates.scores["inter_prompt"]
        noisy = power_noise(bald, self.beta, rng)
        what = "how much the model's predictions disagree, with chance mixed in"
        return replace(highest(noisy, budget_cases, what), values=bald.astype(np.float32))
