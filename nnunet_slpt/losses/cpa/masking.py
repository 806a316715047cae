"""Hides random blocks of the student's view, so that it has to tell from the surroundings what is there.

Must not import anything but torch and the package's errors.
"""

__all__ = ["hide_blocks"]

from collections.abc import Sequence

import torch

from nnunet_slpt.errors import ArchitectureError, ConfigError


def hide_blocks(
    images: torch.Tensor, share: float, block: Sequence[int], generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of which a share is hidden, in blocks of a regular grid; each sample in other places.

    Where an image is hidden it is 0, the mean of an image that nnU-Net has normalised. The share holds for
    the blocks of each sample, rounded to whole ones. Where a block does not divide the image, the last one of
    the axis is cut off, and the share of the voxels may differ a little; over many draws it does not.

    Args:
        images: (B, C, *grid), 2D or 3D; not changed.
        share: of the blocks, in [0, 1].
        block: size of a block in voxels along each axis.
        generator: draws the places on its own device: a CPU generator gives the same ones for every GPU.

    Returns:
        The images, and where they are hidden, (B, 1, *grid), boolean.

    Raises:
        ArchitectureError: the images have no 2D or 3D grid, or the block does not fit its axes.
        ConfigError: the share is not in [0, 1].
    """
    _check(images, share, block)
    batch, _, *grid = images.shape
    blocks = [-(-size // edge) for size, edge in zip(grid, block, strict=True)]
    hidden = _draw(batch, blocks, share, generator).to(images.device)
    for axis, (size, edge) in enumerate(zip(grid, block, strict=True), start=2):
        hidden = hidden.repeat_interleave(edge, axis).narrow(axis, 0, size)
    return images.masked_fill(hidden, 0), hidden


def _draw(batch: int, blocks: Sequence[int], share: float, generator: torch.Generator) -> torch.Tensor:
    """Which blocks are hidden: (B, 1, *blocks), the same number in each sample."""
    noise = torch.rand(batch, 1, *blocks, generator=generator, device=generator.device)
    ranks = noise.flatten(2).argsort(2)
    return (ranks < round(share * ranks.shape[2])).view_as(noise)


def _check(images: torch.Tensor, share: float, block: Sequence[int]) -> None:
    if not 0 <= share <= 1:
        raise ConfigError(f"share of hidden blocks out of range: got {share}, expected a number from 0 to 1")
    if images.ndim not in (4, 5) or len(block) != images.ndim - 2 or min(block) < 1:
        raise ArchitectureError(
            f"blocks cannot be hidden: got images of shape {tuple(images.shape)} and blocks of "
            f"{tuple(block)} voxels, expected (B, C, X, Y) or (B, C, X, Y, Z) and a size of at least 1 for "
            "each axis of the grid; give as many sizes as the image has axes"
        )
