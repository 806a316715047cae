"""The measures of a body, as nnU-Net's plans state them, checked once.

Must not import torch.
"""

__all__ = ["BodyPlan"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnunet_slpt.errors import ArchitectureError


@dataclass(frozen=True)
class BodyPlan:
    """What nnU-Net plans of a network, under its names.

    Args:
        input_channels: of the images.
        patch_size: voxels along each of 2 or 3 axes.
        features_per_stage: channels of each encoder stage.
        kernel_sizes: of each encoder stage, one entry an axis.
        strides: into each encoder stage, one entry an axis; 1 into the first.

    Raises:
        ArchitectureError: these do not fit together.
    """

    input_channels: int
    patch_size: Sequence[int]
    features_per_stage: Sequence[int]
    kernel_sizes: Sequence[Sequence[int]]
    strides: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        axes, stages = len(self.patch_size), len(self.features_per_stage)
        if axes not in (2, 3):
            raise ArchitectureError(f"A patch of {axes} axes, {self.patch_size}: expected 2 or 3.")
        if stages < 2 or not len(self.kernel_sizes) == len(self.strides) == stages:
            raise ArchitectureError(
                f"{stages} features_per_stage, {len(self.kernel_sizes)} kernel_sizes and {len(self.strides)} "
                "strides: expected as many of each, and at least 2. Take arch_kwargs from nnU-Net's plans."
            )
        if {axes} != {len(sizes) for sizes in (*self.kernel_sizes, *self.strides)}:
            raise ArchitectureError(
                f"kernel_sizes and strides need {axes} entries a stage for a patch of {axes} axes; "
                f"got {list(self.kernel_sizes)} and {list(self.strides)}."
            )
        if set(self.strides[0]) != {1}:
            raise ArchitectureError(
                f"The first stage has stride {list(self.strides[0])}: expected 1 along every axis, as "
                "nnU-Net plans it, for the logits have the grid of the first stage."
            )
        self.check_image(self.patch_size)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], input_channels: int) -> "BodyPlan":
        """The measures in a configuration of nnU-Net's plans.

        Args:
            settings: the configuration.
            input_channels: of the images.

        Raises:
            ArchitectureError: they do not fit together.
        """
        network = settings["architecture"]["arch_kwargs"]
        measures = (network[name] for name in ("features_per_stage", "kernel_sizes", "strides"))
        return cls(input_channels, settings["patch_size"], *measures)

    @property
    def grids(self) -> list[tuple[int, ...]]:
        """Voxels along each axis at each encoder stage, for the patch."""
        totals = [self._total_stride(stage) for stage in range(len(self.strides))]
        return [tuple(s // t for s, t in zip(self.patch_size, total, strict=True)) for total in totals]

    @property
    def total_stride(self) -> tuple[int, ...]:
        """By what an image's size must be divisible, along each axis."""
        return self._total_stride(len(self.strides) - 1)

    def check_image(self, size: Sequence[int]) -> None:
        """Refuse images that the strides do not divide, or of another number of axes.

        Raises:
            ArchitectureError: it is one.
        """
        total = self.total_stride
        if len(size) != len(total) or any(s < 1 or s % t for s, t in zip(size, total, strict=True)):
            raise ArchitectureError(
                f"An image of {' x '.join(map(str, size))} voxels: expected multiples of "
                f"{' x '.join(map(str, total))}, which is what the strides come to. nnU-Net plans such "
                "patches; pad the image."
            )

    def _total_stride(self, stage: int) -> tuple[int, ...]:
        return tuple(map(math.prod, zip(*self.strides[: stage + 1], strict=True)))
