"""Small U-Nets of nnU-Net's kinds, for the tests of the networks."""

from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

CHANNELS = 2
CLASSES = 3


def settings(axes: int, **changes: Any) -> dict[str, Any]:
    """Three stages; in 3D the first does not look along the first axis, as nnU-Net plans anisotropic data."""
    flat, strided = ([1] * (axes == 3) + [value, value] for value in (3, 2))
    return {
        "input_channels": CHANNELS,
        "num_classes": CLASSES + 1,
        "n_stages": 3,
        "features_per_stage": [4, 8, 12],
        "conv_op": nn.Conv3d if axes == 3 else nn.Conv2d,
        "kernel_sizes": [flat, [3] * axes, [3] * axes],
        "strides": [[1] * axes, strided, [2] * axes],
        "n_conv_per_stage_decoder": [1, 1],
        "conv_bias": True,
        "norm_op": nn.InstanceNorm3d if axes == 3 else nn.InstanceNorm2d,
        "norm_op_kwargs": {"affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": True,
    } | changes


def plain(axes: int = 3, **changes: Any) -> nn.Module:
    return PlainConvUNet(n_conv_per_stage=[1, 2, 1], **settings(axes, **changes))


def residual(axes: int = 3, **changes: Any) -> nn.Module:
    return ResidualEncoderUNet(n_blocks_per_stage=[1, 2, 1], **settings(axes, **changes))


def patch(axes: int = 3) -> tuple[int, ...]:
    return (4, 16, 12)[-axes:]


def images(axes: int = 3, batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, CHANNELS, *patch(axes), generator=torch.Generator().manual_seed(seed))
