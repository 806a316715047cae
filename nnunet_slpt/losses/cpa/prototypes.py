"""Prototypes made online: a few steps of soft k-means on the teacher's features, from seeds on a grid.

Must not import anything but torch, the package's errors and losses.
"""

__all__ = ["online_prototypes"]

from collections.abc import Sequence

import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa.assignment import TEACHER_TEMPERATURE
from nnunet_slpt.losses.cpa.cosine import unit_length

STEPS = 3  # of k-means; PUNet (arXiv:2211.09233), contrastive prototype assignment
REACH = 1.0  # standard deviation of the spatial weight, in cells of the grid of seeds; our choice


@torch.no_grad()
def online_prototypes(features: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Directions that the features of each sample cluster around, each found near its seed.

    The seeds stand in the middle of the cells of a regular grid and start from the feature there. In each
    of `STEPS` steps a voxel x divides itself among the prototypes k, by a softmax over k of

        cos(f_x, p_k) / TEACHER_TEMPERATURE − d(x, k)² / (2 REACH²)

    and a prototype becomes the weighted mean of the voxels, as a direction. d is the distance of the voxel to
    the seed in cells of the grid: this is what keeps two prototypes of the same tissue apart. The paper says
    that the assignment is spatially weighted; the Gaussian, the fixed seeds and the temperature are our
    choice, and so is that each sample has its own prototypes: no voxel depends on another sample or rank.

    No gradient flows. Takes three times the memory of an assignment, B × K × voxels in single precision.

    Args:
        features: (B, C, *grid), the teacher's, 2D or 3D.
        seeds: how many along each axis; their product is K.

    Returns:
        (B, K, C), each of length 1, in the order of the seeds, last axis fastest.

    Raises:
        ArchitectureError: the features have no 2D or 3D grid, or the seeds do not fit on it.

    References:
        PUNet (arXiv:2211.09233), contrastive prototype assignment.
    """
    _check_grid(features, seeds)
    with torch.autocast(features.device.type, enabled=False):  # which would multiply in half precision
        units = unit_length(features)
        prototypes = _at_seeds(units, seeds).flatten(2).mT
        voxels = units.flatten(2)
        distances = _squared_distances(features.shape[2:], seeds, features.device)
        nearness = -distances.to(voxels) / (2 * REACH**2)
        for _ in range(STEPS):
            shares = (prototypes @ voxels / TEACHER_TEMPERATURE + nearness).log_softmax(1)
            # By a softmax over voxels too, the weights of a prototype that nobody is close to cannot vanish.
            prototypes = unit_length(shares.softmax(2) @ voxels.mT, axis=2)
    return prototypes


def _at_seeds(features: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """The features of the voxels in the middle of the cells: (B, C, *seeds)."""
    for axis, count in enumerate(seeds, start=2):
        middles = torch.arange(1, 2 * count, 2, device=features.device) * features.shape[axis] // (2 * count)
        features = features.index_select(axis, middles)
    return features


def _squared_distances(grid: Sequence[int], seeds: Sequence[int], device: torch.device) -> torch.Tensor:
    """Of each voxel to each seed, in cells: (K, voxels)."""
    axes = len(grid)
    total = torch.zeros([1] * 2 * axes, device=device)
    for axis, (count, size) in enumerate(zip(seeds, grid, strict=True)):
        apart = _middles(count, count, device)[:, None] - _middles(size, count, device)
        shape = [1] * 2 * axes
        shape[axis], shape[axes + axis] = count, size
        total = total + apart.square().view(shape)
    return total.flatten(axes).flatten(0, axes - 1)


def _middles(count: int, length: int, device: torch.device) -> torch.Tensor:
    """The middles of ``count`` cells along a ``length``: (count,)."""
    return (torch.arange(count, device=device) + 0.5) * length / count


def _check_grid(features: torch.Tensor, seeds: Sequence[int]) -> None:
    if features.ndim not in (4, 5):
        raise ArchitectureError(
            f"prototypes need a dense feature map: got shape {tuple(features.shape)}, expected (B, C, X, Y) "
            "or (B, C, X, Y, Z); give the features before any pooling"
        )
    grid = tuple(features.shape[2:])
    if len(seeds) != len(grid) or not all(0 < count <= size for count, size in zip(seeds, grid, strict=True)):
        raise ArchitectureError(
            f"seeds do not fit on a feature map of {grid}: got {tuple(seeds)}, expected {len(grid)} numbers "
            "from 1 to its size along each axis; take fewer seeds or a finer feature map"
        )
