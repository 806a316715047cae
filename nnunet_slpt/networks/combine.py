"""From the K predictions to the one prediction that nnU-Net expects.

Must not import anything of this package.
"""

__all__ = ["mean_prediction"]

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def mean_prediction(logits: Tensor, region_based: bool) -> Tensor:
    """Logits whose softmax (sigmoid) is the mean of the K softmax (sigmoid) maps.

    With Y = 1/K · Σ_k softmax(Z_k) they are log Y; with Y = 1/K · Σ_k sigmoid(Z_k), log Y − log(1 − Y).
    Computed in float32 in the log domain, so no probability ever rounds to zero.

    Args:
        logits: (K, B, C, *S).
        region_based: classes overlap: sigmoid instead of softmax.

    Returns:
        (B, C, *S): log mean softmax, or logit mean sigmoid.

    References:
        How the K predictions of SLPT (arXiv:2308.04911) become one is our choice.
    """
    logits = logits.float()
    if region_based:
        return torch.logsumexp(F.logsigmoid(logits), 0) - torch.logsumexp(F.logsigmoid(-logits), 0)
    return torch.logsumexp(F.log_softmax(logits, dim=2), 0) - math.log(logits.shape[0])
