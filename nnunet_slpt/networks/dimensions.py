"""Torch's 2D and 3D variants of one operation, chosen by the number of spatial axes.

Must not import anything of this package.
"""

__all__ = ["average_pool", "convolve", "convolve_separably", "modulate", "resize"]

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_CONVOLVE = {2: F.conv2d, 3: F.conv3d}
_AVERAGE_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1, dilation: int = 1) -> Tensor:
    """Convolution that keeps the grid (odd kernels, stride 1) of x: (B, C, *S)."""
    padding = [dilation * (size // 2) for size in weight.shape[2:]]
    dilations = [dilation] * len(padding)
    return _CONVOLVE[x.ndim - 2](x, weight, bias, 1, padding, dilations, groups)


def convolve_separably(x: Tensor, depthwise: Tensor, pointwise: Tensor, dilation: int = 1) -> Tensor:
    """Depth-separable convolution: one kernel per input channel, then a 1×1(×1) mix.

    The two weights are multiplied into one dense kernel first. The result is the same; depthwise kernels are
    several times slower than dense ones at these few channels, on CPUs and GPUs alike.

    Args:
        x: (B, C, *S).
        depthwise: (C, *kernel).
        pointwise: (C', C).
        dilation: spacing of the kernel's taps.

    Returns:
        (B, C', *S).
    """
    mixed = pointwise.view(*pointwise.shape, *[1] * (x.ndim - 2)) * depthwise
    return convolve(x, mixed, dilation=dilation)


def modulate(x: Tensor, gain: Tensor) -> Tensor:
    """x ⊙ gain + x, with gain (B, C, *S') constant over the blocks of the finer x: (B, C, *S).

    Where the grids divide, the gain is broadcast: no tensor of the size of ``gain`` upsampled is ever made.
    """
    steps = [fine // coarse for fine, coarse in zip(x.shape[2:], gain.shape[2:], strict=True)]
    if any(step * coarse != fine for step, coarse, fine in zip(steps, gain.shape[2:], x.shape[2:], strict=True)):
        return torch.addcmul(x, x, F.interpolate(gain, size=x.shape[2:], mode="nearest"))
    blocks, constants = list(x.shape[:2]), list(x.shape[:2])
    for step, coarse in zip(steps, gain.shape[2:], strict=True):
        blocks += [coarse, step]
        constants += [coarse, 1]
    view = x.view(blocks)
    return torch.addcmul(view, view, gain.view(constants)).view(x.shape)


def average_pool(x: Tensor, stride: Sequence[int]) -> Tensor:
    """Mean over non-overlapping blocks; a rest at the far border is averaged too. (B, C, *S) to (B, C, *S')."""
    if all(step == 1 for step in stride):
        return x
    return _AVERAGE_POOL[x.ndim - 2](x, tuple(stride), ceil_mode=True, count_include_pad=False)


def resize(x: Tensor, grid: Sequence[int]) -> Tensor:
    """Linear interpolation of x: (B, C, *S) to (B, C, *grid)."""
    if tuple(x.shape[2:]) == tuple(grid):
        return x
    return F.interpolate(x, size=tuple(grid), mode=_LINEAR[x.ndim - 2], align_corners=False)
