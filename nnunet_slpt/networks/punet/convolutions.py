"""The convolutions of the body, built from the blocks that nnU-Net's own networks are made of.

The one file of ``networks`` that imports ``dynamic_network_architectures``, which comes with nnU-Net.
"""

__all__ = ["Upsampling", "bottleneck", "stem"]

from collections.abc import Sequence
from typing import Any

import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD
from torch import Tensor, nn

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[int, type[nn.ConvTranspose2d | nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


def stem(input_channels: int, channels: int, kernel: Sequence[int]) -> nn.Module:
    """A residual block of two convolutions, images (B, C_in, *S) to features (B, C, *S)."""
    axes = len(kernel)
    block: nn.Module = BasicBlockD(
        _CONVOLUTION[axes], input_channels, channels, list(kernel), 1, **_around(axes)
    )
    return block


def bottleneck(incoming: int, channels: int, kernel: Sequence[int], stride: Sequence[int]) -> nn.Module:
    """A residual block whose one large convolution works on half of the channels: (B, C, *S / stride).

    Half, because at five stages of up to 384 channels that gives the published size of the network.
    """
    axes = len(kernel)
    block: nn.Module = BottleneckD(
        _CONVOLUTION[axes],
        incoming,
        max(1, channels // 2),
        channels,
        list(kernel),
        list(stride),
        **_around(axes),
    )
    return block


class Upsampling(nn.Module):
    """Features of the stage below, brought to this stage's grid and put beside its skip connection.

    Args:
        below: channels of the stage below.
        channels: channels of this stage.
        stride: between the two.
    """

    def __init__(self, below: int, channels: int, stride: Sequence[int]) -> None:
        super().__init__()
        step: Any = tuple(stride)
        self.up = _TRANSPOSED[len(step)](below, channels, step, step)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, C_below, *S / stride) and (B, C, *S) to (B, 2C, *S)."""
        return torch.cat([self.up(x), skip], 1)


def _around(axes: int) -> dict[str, Any]:
    """What nnU-Net puts around its convolutions."""
    return {
        "conv_bias": True,
        "norm_op": _NORM[axes],
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }
