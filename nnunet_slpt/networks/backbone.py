"""The frozen U-Net as a chain of modules M_1 … M_N, encoder stages first.

Owns what is known about nnU-Net's U-Nets; reads their attributes, imports none of their classes.
"""

__all__ = [
    "SUPPORTED_ARCHITECTURES",
    "Stage",
    "check_architecture",
    "describe_stages",
    "freeze",
    "input_channels",
    "parameter_summary",
    "read_parameter_summary",
]

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from nnunet_slpt.errors import ArchitectureError

SUPPORTED_ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
# By how many stages an updater's grid is coarser than its stage's: finer where outlines are drawn.
STAGES_BELOW_ENCODER, STAGES_BELOW_DECODER = 2, 1


@dataclass(frozen=True)
class Stage:
    """What an updater must know of the frozen module before it.

    Args:
        channels: features that the module returns.
        kernel: its kernel, one entry an axis.
        stride: from its grid to its updater's, one entry an axis.
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
    kind = name.rsplit(".", 1)[-1]
    if kind == "PUNet":
        raise ArchitectureError(
            "Prompts cannot be put into a PUNet, which takes tokens instead. Tune it with -tr "
            "nnUNetTrainerPUNet, or pretrain it with -tr nnUNetTrainerPUNetPretrain."
        )
    if kind not in SUPPORTED_ARCHITECTURES:
        raise ArchitectureError(
            f"Prompts cannot be put into a {kind}: they sit between the stages of a "
            f"convolutional U-Net. Supported: {', '.join(SUPPORTED_ARCHITECTURES)}. Use plans whose network "
            "is one of these, for example nnU-Net's default plans or a ResEnc preset."
        )


def describe_stages(backbone: Any) -> list[Stage]:
    """The modules in the order in which they run: encoder stages, then decoder stages.

    Args:
        backbone: a ``PlainConvUNet`` or ``ResidualEncoderUNet``.
    """
    encoder = backbone.encoder
    axes = len(encoder.strides[0])

    def stage(s: int, below: int) -> Stage:
        steps = [_per_axis(stride, axes) for stride in encoder.strides[s + 1 : s + 1 + below]]
        stride = tuple(math.prod(step) for step in zip((1,) * axes, *steps, strict=True))
        return Stage(encoder.output_channels[s], _per_axis(encoder.kernel_sizes[s], axes), stride)

    depth = len(encoder.output_channels)
    down = [stage(s, STAGES_BELOW_ENCODER) for s in range(depth)]
    return down + [stage(s, STAGES_BELOW_DECODER) for s in reversed(range(depth - 1))]


def input_channels(backbone: Any) -> int:
    """Channels of the images, which the first convolution reads."""
    weight: nn.Parameter = next(backbone.encoder.parameters())
    return weight.shape[1]


def parameter_summary(network: nn.Module, pretrained: int) -> str:
    """Frozen and tuned parameters, and the tuned ones as a share of the pretrained ones, in words.

    Args:
        network: whose parameters know whether they are tuned.
        pretrained: how many parameters the pretrained network has, heads left out.
    """
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    tuned = sum(size for size, is_tuned in sizes if is_tuned)
    frozen = sum(size for size, is_tuned in sizes if not is_tuned)
    return f"{frozen:,} frozen and {tuned:,} tuned parameters, {100 * tuned / pretrained:.2f} %"


def read_parameter_summary(text: str) -> tuple[int, int] | None:
    """The numbers of frozen and of tuned parameters that ``parameter_summary`` has put into words.

    Args:
        text: with its words in it, such as the log of a training.

    Returns:
        ``None`` if they are not in it.
    """
    found = re.search(r"([\d,]+) frozen and ([\d,]+) tuned parameters", text)
    if found is None:
        return None
    frozen, tuned = (int(number.replace(",", "")) for number in found.groups())
    return frozen, tuned


def freeze(module: nn.Module) -> None:
    """Take every parameter from the optimizer's reach and switch to evaluation mode."""
    module.requires_grad_(False).eval()


def _per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)
