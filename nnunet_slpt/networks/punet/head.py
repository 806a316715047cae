"""The head: how much each voxel's feature looks like the tokens of a class.

Owns the comparison; has no parameters of its own, so that a new class needs its prompt and nothing else.
"""

__all__ = ["class_logits", "likeness", "logits_of"]

import torch
import torch.nn.functional as F
from torch import Tensor

from nnunet_slpt.networks.punet.tokens import ClassPrompt

# Divides the similarities before the softmax over a class's tokens: with 1 their weights differ by e at most,
# and the likeness is close to the tokens' mean. As in the authors' code, `soft_selection_sigma`.
SHARPNESS = 0.1
# How near a likeness may come to 0 and 1, so that its logit stays finite and fits half precision.
MARGIN = 1e-4


def likeness(features: Tensor, tokens: Tensor) -> Tensor:
    """The similarity of each voxel with one class, in [0, 1]: s = Σ_t a_t · s_t.

    s_t = (cos(f, p_t) + 1) / 2 is that with one token, a = softmax(s / 0.1) over the tokens, without
    gradient: the nearest tokens count, so that a class can look like several things.

    Args:
        features: (B, C, *S).
        tokens: (T, C).

    Returns:
        (B, *S), in float32: cosines near 1 differ by less than half precision can tell.

    References:
        PUNet (arXiv:2211.09233): weighted similarity aggregation.
    """
    with torch.autocast(features.device.type, enabled=False):
        directions = F.normalize(features.float(), dim=1)
        cosines = torch.einsum("bc...,tc->bt...", directions, F.normalize(tokens.float(), dim=1))
        similarities = (cosines + 1) / 2
        weights = (similarities.detach() / SHARPNESS).softmax(1)
        return (weights * similarities).sum(1)


def class_logits(features: Tensor, prompt: ClassPrompt) -> Tensor:
    """One class's logits: scale · logit(s) + offset, with s the likeness.

    Args:
        features: (B, C, *S).
        prompt: of the class.

    Returns:
        (B, *S), in float32.
    """
    return prompt.scale.float() * logits_of(likeness(features, prompt.head)) + prompt.offset.float()


def logits_of(likeness: Tensor) -> Tensor:
    """The logits whose sigmoid is the likeness, but for a margin at 0 and 1. Any shape.

    The likeness is the probability of a class that is prompted alone. Among exclusive classes, the softmax
    of these logits weighs the odds of one against those of the others.
    """
    # Shrunk and not clamped: clamping would take the gradient where the network is most wrong.
    return torch.logit(MARGIN + (1 - 2 * MARGIN) * likeness)
