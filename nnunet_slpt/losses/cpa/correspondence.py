"""Which voxel of one view of an image lies where a voxel of another view lies.

Must not import anything but torch, the package's errors and losses.
"""

__all__ = ["Box", "at_same_place"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.precision import at_least_single


@dataclass(frozen=True, eq=False)
class Box:
    """Where the views of a batch lie in a frame that they share with others, such as the image's voxels.

    ``start`` and ``stop`` are the outer edges of each axis in the order in which the view runs along it:
    where the view is flipped, start is the larger one. A box has no grid: it is the same for the view, for a
    zoomed view and for a coarser feature map of it.

    Args:
        start: (B, axes), the outer edge of the first voxel.
        stop: (B, axes), the outer edge of the last voxel.

    Raises:
        ArchitectureError: start and stop have not the same shape (B, axes), or a box is flat.
    """

    start: torch.Tensor
    stop: torch.Tensor

    def __post_init__(self) -> None:
        if self.start.ndim != 2 or self.start.shape != self.stop.shape:
            raise ArchitectureError(
                f"not a box: got edges of shapes {tuple(self.start.shape)} and {tuple(self.stop.shape)}, "
                "expected (B, axes) for both; give one row for each sample"
            )
        if bool((self.start == self.stop).any()):
            raise ArchitectureError(
                f"a box is flat: got start {self.start.tolist()} and stop {self.stop.tolist()}, expected two "
                "different edges along each axis; stop is the edge behind the last voxel, not its index"
            )

    @classmethod
    def of_crop(cls, first: torch.Tensor, size: torch.Tensor, flipped: torch.Tensor) -> "Box":
        """The box of crops, some of whose axes were flipped afterwards.

        Args:
            first: (B, axes), the lowest voxel of each crop; may be negative where the crop was padded.
            size: (B, axes), how many voxels it has.
            flipped: (B, axes), true where it runs backwards.
        """
        last = first + size
        return cls(torch.where(flipped, last, first).float(), torch.where(flipped, first, last).float())


def at_same_place(
    values: torch.Tensor, box: Box, other: Box, grid: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The values of one view at the voxels of another view, linearly interpolated.

    Args:
        values: (B, K, *any grid), 2D or 3D.
        box: where they lie.
        other: where the other view lies.
        grid: the other view's voxels along each axis.

    Returns:
        The values, (B, K, *grid), and where both views lie, (B, 1, *grid), boolean. Outside of that the
        values mean nothing, but are finite.

    Raises:
        ArchitectureError: values, boxes and grid do not have the same samples and axes.
    """
    _check(values, box, other, grid)
    axes = _places(box, other, grid, values.device)
    inside = torch.ones(len(values), *grid, dtype=torch.bool, device=values.device)
    for place in axes:
        inside &= (place >= 0) & (place <= 1)
    # The outer half of a border voxel belongs to the view as well. (MPS lacks the padding that does this.)
    half_voxels = [0.5 / size for size in values.shape[2:]]
    axes = [place.clamp(half, 1 - half) for place, half in zip(axes, half_voxels, strict=True)]
    # torch counts from -1 to 1 and names the last axis first.
    points = torch.stack([(2 * place - 1).expand_as(inside) for place in reversed(axes)], dim=-1)
    values = at_least_single(values)
    return functional.grid_sample(values, points.to(values), align_corners=False), inside[:, None]


def _places(box: Box, other: Box, grid: Sequence[int], device: torch.device) -> list[torch.Tensor]:
    """For each axis, the other view's voxels as parts of the box, 0 at its start and 1 at its stop.

    Each (B, 1, …, n, …, 1), with n on the axis of that name.
    """
    length = box.stop - box.start
    shift = ((other.start - box.start) / length).to(device)
    scale = ((other.stop - other.start) / length).to(device)
    places = []
    for axis, count in enumerate(grid):
        middles = (torch.arange(count, device=device) + 0.5) / count
        place = shift[:, axis, None] + middles * scale[:, axis, None]
        places.append(place.view(-1, *[count if this == axis else 1 for this in range(len(grid))]))
    return places


def _check(values: torch.Tensor, box: Box, other: Box, grid: Sequence[int]) -> None:
    expected = (len(values), values.ndim - 2)
    got = (tuple(box.start.shape), tuple(other.start.shape), len(grid))
    if values.ndim not in (4, 5) or got != (expected, expected, expected[1]):
        raise ArchitectureError(
            f"views do not fit each other: got values of shape {tuple(values.shape)}, boxes of shapes "
            f"{got[0]} and {got[1]} and a grid of {tuple(grid)}, expected values (B, K, X, Y) or "
            "(B, K, X, Y, Z), boxes (B, axes) and one number an axis; give a box for each sample"
        )
