"""Vectors of length one, whose products are cosines.

Must not import anything but torch and the package's losses.
"""

__all__ = ["unit_length"]

import torch

from nnunet_slpt.losses.precision import at_least_single

_TINY = 1e-8


def unit_length(vectors: torch.Tensor, axis: int = 1) -> torch.Tensor:
    """The vectors along an axis, each with length 1, in single precision.

    A vector of zeros has no direction: it stays as it is, its cosine with anything is 0, and so is its
    gradient (torch's ``normalize`` would multiply that by 1e12).

    Args:
        vectors: any shape.
        axis: the axis that a vector lies along.

    Returns:
        The same shape.
    """
    vectors = at_least_single(vectors)
    length = torch.linalg.vector_norm(vectors, dim=axis, keepdim=True)
    return vectors * torch.where(length > _TINY, 1 / length.clamp_min(_TINY), 0)
