"""Euclidean distances between cases, in blocks: never a matrix of all cases by all cases.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["distances", "nearest"]

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Floats

# Numbers in a block: 32 MiB in double precision.
_BLOCK = 2**22
# Below this share of the squared norms, what is left of a squared distance is rounding error.
_SAME = 1e-12


def distances(points: Floats, centres: Floats) -> Floats:
    """The distance of each point to each centre.

    Computed in double precision and then rounded, which takes away the rounding errors that depend on blocks
    and threads: equal distances come out equal, those between equal cases as 0, and ties go by name.

    Args:
        points: (N, F).
        centres: (M, F).

    Returns:
        (N, M), in the features' unit.
    """
    left, right = points.astype(np.float64), centres.astype(np.float64)
    norms = _squared_norms(left)[:, None] + _squared_norms(right)[None]
    squared = norms - 2 * (left @ right.T)
    squared[squared < _SAME * norms] = 0
    return np.sqrt(squared).astype(np.float32)


def nearest(
    points: Floats, centres: Floats, rows: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.intp], Floats]:
    """The nearest centre of each point; of equally near ones the first.

    Args:
        points: (N, F).
        centres: (M, F), M at least 1.
        rows: (R,), which points; all of them if it is not given.

    Returns:
        The centre's row and the distance to it, (R,) each.
    """
    rows = np.arange(len(points)) if rows is None else rows
    which, distance = np.zeros(len(rows), np.intp), np.zeros(len(rows), np.float32)
    step = max(1, _BLOCK // max(centres.shape))
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        table = distances(points[rows[block]], centres)
        which[block] = table.argmin(1)
        distance[block] = table.min(1)
    return which, distance


def _squared_norms(points: NDArray[np.float64]) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.einsum("nf,nf->n", points, points)
    return norms
