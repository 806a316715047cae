"""What the annotators changed: a pre-label against the label that was made of it.

Pure. Must not import torch or nnU-Net.
"""

__all__ = ["Effort", "effort_of"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.datasets.label_checks import LabelValues


@dataclass(frozen=True)
class Effort:
    """The way from a pre-label to the label.

    Args:
        changed_voxels: that have another value now.
        foreground_voxels: of the label.
        dice: class or region → Dice of pre-label to label; ``None`` where neither has it.
    """

    changed_voxels: int
    foreground_voxels: int
    dice: Mapping[str, float | None]


def effort_of(before: NDArray[Any], after: NDArray[Any], values: LabelValues) -> Effort:
    """Compare; voxels that the label ignores count nowhere.

    Args:
        before: the pre-label.
        after: the label, of the same shape.
        values: the dataset's classes.
    """
    counts = np.ones(after.shape, bool) if values.ignore is None else after != values.ignore
    before, after = before[counts], after[counts]
    return Effort(
        changed_voxels=int(np.count_nonzero(before != after)),
        foreground_voxels=int(np.count_nonzero(after)),
        dice={
            name: _dice(np.isin(before, numbers), np.isin(after, numbers))
            for name, numbers in values.classes.items()
        },
    )


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float | None:
    size = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / size if size else None
