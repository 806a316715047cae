"""Where the voxels of a file lie, as nnU-Net's readers tell it, and in what two files differ.

Must not import nnU-Net: it looks at what the readers return.
"""

__all__ = ["KINDS", "SHIFTS", "Geometry", "differences", "geometry_of", "in_words"]

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What nnU-Net's readers tell of a file → its name in words, and how far two files may lie apart: in mm, but
# for the shape (voxels) and the direction (cosines). nnU-Net refuses another shape or spacing itself; with
# another origin or direction it goes on and shifts the voxels.
KINDS = {
    "shape": ("shape", 0.0),
    "spacing": ("voxel spacing", 1e-8),
    "origin": ("origin", 1e-3),
    "direction": ("direction", 1e-3),
    "original_affine": ("affine (origin and direction)", 1e-3),
}
SHIFTS = ("origin", "direction", "original_affine")  # in which nnU-Net accepts a difference, and only warns
Geometry = dict[str, NDArray[np.float64]]


def geometry_of(voxels: NDArray[np.float32], properties: Mapping[str, Any]) -> Geometry:
    """All that a reader tells of where a file's voxels lie.

    Args:
        voxels: (C, X, Y, Z).
        properties: from the same reader.
    """
    inside = [properties.get(reader, {}) for reader in ("sitk_stuff", "nibabel_stuff")]
    known = {**properties, **inside[0], **inside[1], "shape": voxels.shape[1:]}
    return {key: np.asarray(known[key], dtype=np.float64) for key in KINDS if key in known}


def differences(got: Geometry, expected: Geometry, kinds: Collection[str] = tuple(KINDS)) -> Iterator[str]:
    """Each thing in which two files lie apart: what, what was got, what was expected.

    Args:
        got: of the one.
        expected: of the other.
        kinds: keys of ``KINDS`` that are compared.
    """
    for key, (name, tolerance) in KINDS.items():
        if key in kinds and key in got and not _alike(got[key], expected[key], tolerance):
            yield f"the {name} is {in_words(got[key])}, expected {in_words(expected[key])}"


def in_words(values: Any) -> str:
    """Numbers, separated by commas."""
    return ", ".join(f"{value + 0.0:g}" for value in np.ravel(values))  # + 0.0: no -0


def _alike(a: NDArray[np.float64], b: NDArray[np.float64], tolerance: float) -> bool:
    return a.shape == b.shape and np.allclose(a, b, atol=tolerance)
