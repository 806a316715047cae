"""Which voxels attend to each other: windows on a grid, shifted or not, of any number of axes.

Owns the cutting of a grid into windows, and who may see whom in one. Knows nothing of attention's weights.
"""

__all__ = ["Windows", "fit_window", "lay_out"]

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

# Where a voxel of a window comes from, along one axis.
HERE, WRAPPED, PADDING = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Windows:
    """A grid, cut into windows.

    A shifted grid is rolled, so that its last windows hold voxels of both of its ends: these must not see
    each other, and nobody may see padding. Windows with the same mask are a group, for most have none and
    one mask for each window would take more memory than the features.

    Args:
        window: voxels along each axis.
        counts: windows along each axis.
        padding: voxels added at the end of each axis.
        shift: voxels by which the windows are moved along each axis.
        groups: numbers of the windows, and what is added to their attention scores: (N, N) of 0 and −inf
            with N voxels a window, or ``None``.
        order: where each window is found once all groups are put one after the other.
    """

    window: tuple[int, ...]
    counts: tuple[int, ...]
    padding: tuple[int, ...]
    shift: tuple[int, ...]
    groups: tuple[tuple[Tensor, Tensor | None], ...]
    order: Tensor

    def split(self, x: Tensor) -> Tensor:
        """Features (B, *S, C) to windows (B, windows, N, C)."""
        axes = tuple(range(1, x.ndim - 1))
        pads = [side for pad in reversed(self.padding) for side in (0, pad)]
        x = F.pad(x, [0, 0, *pads]).roll([-step for step in self.shift], axes)
        cut = [size for pair in zip(self.counts, self.window, strict=True) for size in pair]
        x = x.reshape(x.shape[0], *cut, x.shape[-1])
        odd, even = range(1, 2 * len(axes), 2), range(2, 2 * len(axes) + 1, 2)
        x = x.permute(0, *odd, *even, -1)
        return x.reshape(x.shape[0], math.prod(self.counts), math.prod(self.window), x.shape[-1])

    def merge(self, windows: Tensor) -> Tensor:
        """Windows (B, windows, N, C) to features (B, *S, C): undoes ``split``."""
        n = len(self.window)
        x = windows.reshape(windows.shape[0], *self.counts, *self.window, windows.shape[-1])
        x = x.permute(0, *(axis for a in range(n) for axis in (1 + a, 1 + n + a)), -1)
        padded = [count * size for count, size in zip(self.counts, self.window, strict=True)]
        x = x.reshape(windows.shape[0], *padded, windows.shape[-1])
        x = x.roll(self.shift, tuple(range(1, n + 1)))
        for axis, (size, pad) in enumerate(zip(padded, self.padding, strict=True), start=1):
            x = x.narrow(axis, 0, size - pad)
        return x


def fit_window(grid: Sequence[int], at_most: int) -> tuple[int, ...]:
    """The window for a grid: as few windows as possible, then as little padding as possible.

    >>> fit_window((2, 5, 128), at_most=4)
    (2, 3, 4)

    Args:
        grid: voxels along each axis.
        at_most: voxels of a window along each axis.
    """
    return tuple(math.ceil(size / math.ceil(size / at_most)) for size in grid)


# Not in inference mode: what is kept from there could never be used in training again.
@lru_cache(maxsize=64)
@torch.inference_mode(False)
def lay_out(
    grid: tuple[int, ...], window: tuple[int, ...], shifted: bool, device: torch.device | str = "cpu"
) -> Windows:
    """Cut a grid into windows.

    Args:
        grid: voxels along each axis; what the windows do not divide is padded.
        window: voxels of a window along each axis.
        shifted: move the windows by half their size, along the axes that have more than one.
        device: where the features are.
    """
    counts = tuple(math.ceil(size / width) for size, width in zip(grid, window, strict=True))
    padding = tuple(n * width - size for n, width, size in zip(counts, window, grid, strict=True))
    shift = tuple(width // 2 if shifted and n > 1 else 0 for n, width in zip(counts, window, strict=True))
    origins, kinds = zip(*map(_along_one_axis, grid, window, shift), strict=True)
    kind_of_window = torch.cartesian_prod(*kinds).reshape(-1, len(grid))
    groups = []
    for kind in product(*(range(len(rows)) for rows in origins)):
        numbers = (kind_of_window == torch.tensor(kind)).all(-1).nonzero()[:, 0]
        mask = _mask([rows[k] for rows, k in zip(origins, kind, strict=True)])
        groups.append((numbers.to(device), None if mask is None else mask.to(device)))
    order = torch.cat([numbers for numbers, _ in groups]).argsort()
    return Windows(window, counts, padding, shift, tuple(groups), order)


def _along_one_axis(size: int, width: int, shift: int) -> tuple[Tensor, Tensor]:
    """The kinds of windows, as the origins of their voxels (kinds, width), and the kind of each window."""
    padded = math.ceil(size / width) * width
    place = (torch.arange(padded) + shift) % padded
    origin = torch.where(place < shift, WRAPPED, HERE).where(place < size, PADDING)
    rows, kind = torch.unique(origin.reshape(-1, width), dim=0, return_inverse=True)
    return rows, kind


def _mask(origins: Sequence[Tensor]) -> Tensor | None:
    """What a kind of window adds to its scores (N, N), from the origins of its voxels along each axis."""
    voxels = torch.cartesian_prod(*origins).reshape(-1, len(origins))
    # Padding sees padding: a row of −inf alone would become NaN, and so would the gradients of all others.
    allowed = (voxels[:, None] == voxels[None]).all(-1)
    if bool(allowed.all()):
        return None
    return torch.zeros(allowed.shape).masked_fill_(~allowed, -math.inf)
