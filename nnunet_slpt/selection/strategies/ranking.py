"""The strategies' common answer: the cases with the highest score.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["highest"]

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Choice, choose_highest


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
