"""The precision in which losses are summed: single, even where the network runs in half.

Must not import anything from this package or nnU-Net.
"""

__all__ = ["at_least_single"]

import torch


def at_least_single(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float32, or unchanged where it is wider; no copy is made if none is needed.

    A patch holds millions of voxels: in half precision its sums would overflow or lose small lesions.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
