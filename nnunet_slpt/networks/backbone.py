"""The frozen U-Net as a chain of modules M_1 … M_N, encoder stages first.

Owns what is known about nnU-Net's U-Nets; reads their attributes, imports none of their classes.
"""

__all__ = ["SUPPORTED_ARCHITECTURES", "Stage", "check_architecture", "describe_stages", "freeze"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from nnunet_slpt.errors import ArchitectureError

SUPPORTED_ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")


@dataclass(frozen=True)
class Stage:
    """What an updater must know of the frozen module before it.

    Args:
        channels: features that the module returns.
        kernel: its kernel, one entry an axis.
        stride: from its grid to the next coarser stage's, one entry an axis.
    """

    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]


def check_architecture(name: str) -> None:
    """Refuse an architecture that the updaters cannot be put into.

    Args:
        name: class name, dotted or not.

    Raises:
        ArchitectureError: it is not one of ``SUPPORTED_ARCHITECTURES``.
    """
    if name.rsplit(".", 1)[-1] not in SUPPORTED_ARCHITECTURES:
        raise ArchitectureError(
            f"Prompts cannot be put into a {name.rsplit('.', 1)[-1]}: they sit between the stages of a "
            f"convolutional U-Net. Supported: {', '.join(SUPPORTED_ARCHITECTURES)}. Use plans whose network "
            "is one of these, for example nnU-Net's default plans or a ResEnc preset."
        )


def describe_stages(backbone: Any) -> list[Stage]:
    """The modules in the order in which they run: encoder stages, then decoder stages.

    Args:
        backbone: a ``PlainConvUNet`` or ``ResidualEncoderUNet``.
    """
    encoder = backbone.encoder
    kernels, strides = encoder.kernel_sizes, encoder.strides
    axes = len(strides[0])
    down = [
        Stage(
            channels=channels,
            kernel=_per_axis(kernels[s], axes),
            stride=_per_axis(strides[s + 1], axes) if s + 1 < len(strides) else (1,) * axes,
        )
        for s, channels in enumerate(encoder.output_channels)
    ]
    return down + down[-2::-1]


def freeze(module: nn.Module) -> None:
    """Take every parameter from the optimizer's reach and switch to evaluation mode."""
    module.requires_grad_(False).eval()


def _per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
