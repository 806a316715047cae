"""Torch's 2D and 3D variants of one operation, chosen by the number of spatial axes.

Must not import anything of this package.
"""

__all__ = ["average_pool", "convolve", "modulate", "resize", "separable_kernel"]

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_CONVOLVE = {2: F.conv2d, 3: F.conv3d}
_AVERAGE_POOL = {2: F.avg_pool2d, 3: F.avg_pool3d}


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution that keeps the grid (odd kernels, stride 1) of x: (B, C, *S); dilations may differ."""
    dilation = [dilation] * (x.ndim - 2) if isinstance(dilation, int) else list(dilation)
    padding = [step * (size // 2) for step, size in zip(dilation, weight.shape[2:], strict=True)]
    return _CONVOLVE[x.ndim - 2](x, weight, bias, 1, padding, dilation, groups)


def separable_kernel(depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """The kernel of a depth-separable convolution: a 1×1(×1) mix, then one kernel per output channel.

    To convolve with the product of the two gives the same as one after the other; depthwise kernels are
    several times slower than dense ones at these few channels, on CPUs and GPUs alike.

    Args:
        depthwise: (C', *kernel).
        pointwise: (C', C).

    Returns:
        (C', C, *kernel).
    """
    return pointwise.view(*pointwise.shape, *[1] * (depthwise.ndim - 1)) * depthwise[:, None]


def modulate(x: Tensor, change: Tensor) -> Tensor:
    """X ⊙ gain + x + shift, both brought to the grid of x linearly.

    Args:
        x: (B, C, *S).
        change: (B, 2C, *S'), gain and shift one after the other; any coarser grid.

    Returns:
        (B, C, *S).
    """
    # CUDA's autocast interpolates in single precision, and features would stay so from here on.
    gain, shift = (resize(half, x.shape[2:]).to(x.dtype) for half in change.chunk(2, 1))
    return torch.addcmul(x + shift, x, gain)


def average_pool(x: Tensor, stride: Sequence[int]) -> Tensor:
    """Mean over non-overlapping blocks; a rest at the far border is averaged too. (B, C, *S) to (B, C, *S').

    Axis by axis in slices, because torch's own pooling knows no half precision on CPUs.
    """
    if any(size % step for size, step in zip(x.shape[2:], stride, strict=True)):
        return _AVERAGE_POOL[x.ndim - 2](x, tuple(stride), ceil_mode=True, count_include_pad=False)
    for axis, step in enumerate(stride, start=2):
        if step > 1:
            blocks = (*x.shape[:axis], -1, step, *x.shape[axis + 1 :])
            first, *others = x.reshape(blocks).unbind(axis + 1)
            x = sum(others, first)
    return x / math.prod(stride)


def resize(x: Tensor, grid: Sequence[int]) -> Tensor:
    """Linear interpolation of x: (B, C, *S) to (B, C, *grid).

    In 3D within slices first, then across them: what torch's trilinear interpolation gives, but on CPUs in
    half of its time, backward as well.
    """
    if tuple(x.shape[2:]) == tuple(grid):
        return x
    if x.ndim == 4:
        return F.interpolate(x, size=tuple(grid), mode="bilinear", align_corners=False)
    depth, *plane = grid
    within = resize(x.flatten(1, 2), plane).reshape(*x.shape[:3], *plane)
    return resize(within.flatten(3), (depth, math.prod(plane))).reshape(*x.shape[:2], *grid)
