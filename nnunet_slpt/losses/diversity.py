"""The diversity loss: keeps the K prompts from becoming one.

Must not import anything but torch and the package's errors.
"""

__all__ = ["diversity_loss", "pairwise_cosine"]

import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.precision import at_least_single

# Below this share of the prompt's norm, what centring leaves is rounding error (about 1e-7 in float32).
_FLAT = 1e-5
_TINY = 1e-8


def pairwise_cosine(prompts: torch.Tensor) -> torch.Tensor:
    """The cosine between each two prompts, each less its mean, so that patterns are compared and not levels.

    A constant prompt has no pattern: its cosines are 0.

    Args:
        prompts: (K, *anything).

    Returns:
        (K, K), symmetric, in [-1, 1].

    Raises:
        ArchitectureError: ``prompts`` has no axis beside the first.
    """
    if prompts.ndim < 2:
        raise ArchitectureError(
            f"prompts cannot be compared: got shape {tuple(prompts.shape)}, expected (K, ...) with "
            "the K prompts on the first axis; stack the prompts"
        )
    flat = at_least_single(prompts.flatten(1))
    size = torch.linalg.vector_norm(flat.detach(), dim=1, keepdim=True)
    flat = flat - flat.mean(1, keepdim=True)
    norm = torch.linalg.vector_norm(flat, dim=1, keepdim=True)
    unit = flat / torch.maximum(norm, _FLAT * size + _TINY)
    with torch.autocast(prompts.device.type, enabled=False):  # which would multiply in half precision
        return unit @ unit.T


def diversity_loss(prompts: torch.Tensor) -> torch.Tensor:
    """The sum of squared cosines over all pairs of centred prompts: 0 if their patterns are orthogonal.

    The paper has the plain cosines,

        L_div = Σ_{k1 < k2} cos(P_k1, P_k2).

    That sum reaches its minimum through constant offsets and opposite signs, with the patterns still alike.
    Centring takes away the offsets, squaring the signs, and a cosine knows no length: what remains is to have
    different patterns.

    Args:
        prompts: (K, *anything).

    Returns:
        Scalar in [0, K (K - 1) / 2]; 0, with a graph, for one prompt.

    Raises:
        ArchitectureError: ``prompts`` has no axis beside the first.

    References:
        SLPT (arXiv:2308.04911), section 2.2.
    """
    return torch.triu(pairwise_cosine(prompts), diagonal=1).square().sum()
