"""From a label map to one target for each class: what a voxel of this class is, and where nobody knows.

Must not import the trainers.
"""

__all__ = ["Classes"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnunet_slpt.datasets import NOT_ANNOTATED
from nnunet_slpt.label_outputs import Labels, class_names, values_of

IGNORE = "ignore"


@dataclass(frozen=True)
class Classes:
    """The classes of a dataset, each by itself: prompted alone, a class knows nothing of the others.

    Args:
        values: name → the values in a label map that belong to it, in the order of nnU-Net's outputs.
        ignored: values of voxels that do not count.
    """

    values: Mapping[str, tuple[int, ...]]
    ignored: tuple[int, ...]

    @classmethod
    def of(cls, labels: Labels) -> "Classes":
        """Those that nnU-Net has outputs for, but for the background.

        Args:
            labels: of dataset.json.
        """
        values = values_of(labels)
        of_classes = {name: values[name] for name in class_names(labels)}
        return cls(of_classes, values.get(IGNORE, ()))

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of nnU-Net's outputs."""
        return tuple(self.values)

    def target(self, label_map: Tensor, names: Sequence[str]) -> Tensor:
        """What nnU-Net's loss for regions takes.

        Args:
            label_map: (B, 1, *S), of any number type.
            names: of the classes.

        Returns:
            (B, names + 1, *S), boolean; the last channel is true where a voxel does not count.
        """
        of_each = (_is_one_of(label_map, self.values[name]) for name in names)
        return torch.cat([*of_each, self.unknown(label_map)], 1)

    def unknown(self, label_map: Tensor) -> Tensor:
        """Where nobody knows what a voxel is: (B, 1, *S), boolean.

        Args:
            label_map: (B, 1, *S), of any number type.
        """
        # nnU-Net pads patches with what then looks like background, those of a case without a label too.
        of_no_label = (label_map == NOT_ANNOTATED).flatten(1).any(1).view(-1, *[1] * (label_map.ndim - 1))
        return _is_one_of(label_map, self.ignored) | of_no_label


def _is_one_of(label_map: Tensor, values: Sequence[int]) -> Tensor:
    found = torch.zeros_like(label_map, dtype=torch.bool)
    for value in values:
        found |= label_map == value
    return found
