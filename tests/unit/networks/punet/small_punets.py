"""Small PUNets, 2D and 3D, for their tests."""

from typing import Any

import torch

from nnunet_slpt.networks.punet import PUNet


def settings(axes: int) -> dict[str, Any]:
    """Three stages; in 3D the first does not look along the first axis, as nnU-Net plans anisotropic data."""
    flat, strided = ([1] * (axes == 3) + [value, value] for value in (3, 2))
    return {
        "input_channels": 2,
        "patch_size": patch(axes),
        "features_per_stage": [4, 8, 12],
        "kernel_sizes": [flat, [3] * axes, [3] * axes],
        "strides": [[1] * axes, strided, [2] * axes],
    }


def patch(axes: int = 3) -> tuple[int, ...]:
    return (4, 20, 12)[-axes:]


def images(axes: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 2, *patch(axes), generator=torch.Generator().manual_seed(seed))


def network(*names: str, axes: int = 3, seed: int = 0, **changes: Any) -> PUNet:
    torch.manual_seed(seed)
    made = PUNet(**settings(axes) | {"tokens": 3} | changes)
    for name in names:
        made.add_class(name)
    return made
