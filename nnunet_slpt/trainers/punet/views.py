"""The student's view of a batch: another place, another size, other intensities, partly hidden.

Owns how far views differ. Must not import nnU-Net.
"""

__all__ = ["View", "student_view", "whole"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnunet_slpt.losses.cpa import Box, at_same_place, hide_blocks

SMALLEST = 0.5  # part of the patch that a view shows along each axis, at least
GAIN, SHIFT, NOISE = 0.2, 0.2, 0.1  # of intensities, in standard deviations of the image
BLOCKS = 8  # that hide parts of a view, along each axis at most


@dataclass(frozen=True)
class View:
    """What the student sees.

    Args:
        images: (B, C, *grid).
        box: where they lie in the teacher's patch.
    """

    images: Tensor
    box: Box


def whole(images: Tensor) -> Box:
    """The box of the patch itself, in its voxels."""
    size = torch.tensor(images.shape[2:]).expand(len(images), -1)
    return Box.of_crop(torch.zeros_like(size), size, torch.zeros_like(size, dtype=torch.bool))


def student_view(images: Tensor, grid: Sequence[int], hidden: float, mirrored: Sequence[int]) -> View:
    """Draw a view of each image from torch's global generator.

    Args:
        images: the patches that the teacher sees, (B, C, *S).
        grid: voxels of the view along each axis.
        hidden: share of the view that is hidden.
        mirrored: axes along which views may be flipped, from 0 on.
    """
    size = torch.tensor(images.shape[2:]).float()
    shape = (len(images), len(size))
    length = size * (SMALLEST + (1 - SMALLEST) * torch.rand(shape))
    first = (size - length) * torch.rand(shape)
    allowed = torch.tensor([axis in mirrored for axis in range(len(size))])
    box = Box.of_crop(first, length, (torch.rand(shape) < 1 / 2) & allowed)
    shown, _ = at_same_place(images, whole(images), box, grid)
    channelwise = (*images.shape[:2], *[1] * len(grid))
    gain = 1 + GAIN * (2 * torch.rand(channelwise) - 1)
    shift = SHIFT * (2 * torch.rand(channelwise) - 1)
    shown = shown * gain.to(shown) + shift.to(shown) + NOISE * torch.randn_like(shown)
    block = [-(-edge // BLOCKS) for edge in grid]
    seen, _ = hide_blocks(shown, hidden, block, torch.default_generator)
    return View(seen, box)
