"""Power noise: draws cases with a chance that grows with their score.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["power_noise"]

import numpy as np
from numpy.typing import NDArray

_TINY = 1e-30


def power_noise(scores: NDArray[np.floating], beta: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Log score + Gumbel / β.

    The highest of these is case i with probability score_i^β / Σ_j score_j^β, and the n highest are n such
    draws without putting back. A small β is nearly random, a large one nearly the plain ranking.

    Args:
        scores: (N,), not negative; 0 counts as a tiny one, NaN stays NaN.
        beta: the exponent, above 0.
        rng: for N draws, whatever the scores are.

    Returns:
        (N,), finite but for NaN.

    References:
        Kirsch et al. (arXiv:2106.12059), section 4: power acquisition.
    """
    noise = rng.gumbel(size=len(scores))
    return np.log(np.maximum(scores.astype(np.float64), _TINY)) + noise / beta
