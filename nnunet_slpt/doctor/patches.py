"""Patches that a network can take, near to what is wanted. Pure: numbers in, numbers out."""

__all__ = ["patch_around", "patch_within"]

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nnunet_slpt.planners.transfer import shrinks_by
from nnunet_slpt.planners.tunings import tuning_of, windows_by

# nnU-Net's UNet_featuremap_min_edge_length (experiment_planning/experiment_planners/
# default_experiment_planner.py): so many voxels an axis has to have where the network is deepest.
SHORTEST_EDGE = 4


def patch_around(sizes: Sequence[float], patch: Sequence[int], settings: Mapping[str, Any]) -> list[int]:
    """The smallest valid patch around images of this size, no axis longer than it is now.

    The present patch, if a PUNet would cut the smaller one into other windows.

    Args:
        sizes: of the images at the network's spacing, in voxels.
        patch: as it is now.
        settings: the model's configuration.
    """
    steps, shortest = shrinks_by(settings), _shortest(patch, settings)
    wanted = [math.ceil(size / step) * step for size, step in zip(sizes, steps, strict=True)]
    found = [max(min(want, now), least) for want, now, least in zip(wanted, patch, shortest, strict=True)]
    return found if _keeps_windows(found, settings) else list(patch)


def patch_within(share: float, patch: Sequence[int], settings: Mapping[str, Any]) -> list[int] | None:
    """The valid patch that is left if the axes are cut in turn until only this share of the voxels remains.

    Args:
        share: of the present patch's voxels, below 1.
        patch: as it is now.
        settings: the model's configuration.

    Returns:
        ``None`` if no patch is so small.
    """
    steps, shortest, cut = shrinks_by(settings), _shortest(patch, settings), list(patch)
    while math.prod(cut) > share * math.prod(patch) or not _keeps_windows(cut, settings):
        axes = [axis for axis in range(len(cut)) if cut[axis] - steps[axis] >= shortest[axis]]
        if not axes:
            return None
        longest = max(axes, key=lambda axis: cut[axis] / patch[axis])  # keeps the patch's proportions
        cut[longest] -= steps[longest]
    return cut


def _keeps_windows(patch: Sequence[int], settings: Mapping[str, Any]) -> bool:
    """Whether the plans may have this patch, as far as a PUNet's windows go."""
    if not tuning_of(settings).by_tokens:
        return True
    return windows_by(settings, patch) == windows_by(settings, settings["patch_size"])


def _shortest(patch: Sequence[int], settings: Mapping[str, Any]) -> list[int]:
    """An axis that the model's own patch makes shorter than nnU-Net's rule may stay so."""
    steps = shrinks_by(settings)
    return [min(now, SHORTEST_EDGE * step) for now, step in zip(patch, steps, strict=True)]
