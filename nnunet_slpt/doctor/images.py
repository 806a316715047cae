"""Checks of how the images lie: can they be read, where do their axes point, do they fill the patch?

Owns the words and the thresholds. Writes nothing.
"""

__all__ = ["axes", "field_of_view", "orientation", "unusable_images"]

from collections import defaultdict
from collections.abc import Iterator
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.doctor.examined import Examined
from nnunet_slpt.doctor.patches import patch_around
from nnunet_slpt.doctor.words import listed, share_in_words
from nnunet_slpt.errors import some
from nnunet_slpt.planners.comparison import Finding, in_words
from nnunet_slpt.planners.findings import FAR_SPACING
from nnunet_slpt.planners.transfer import resampled

# An image that fills less of the patch than this is mostly padding to the network. nnU-Net itself plans
# patches as large as the median image, so that half of its own training images are somewhat smaller.
FILLED = 0.5
# Where even the smallest patch that the network takes is filled less than this, an image is a voxel or two
# wide where the network is deepest.
HARDLY_FILLED = 0.1


def unusable_images(examined: Examined) -> Iterator[Finding]:
    """Damaged, cut short, without voxels, with NaN, with channels that do not fit together."""
    looks = examined.target.looks
    problems = [(look.case.name, look.image_problem) for look in looks if look.image_problem]
    if problems:
        yield Finding(
            "error",
            "images",
            f"those of {len(problems)} of {len(looks)} cases cannot be used:{listed(problems)}",
            "Repair or replace the files, or move these cases away.",
        )


def orientation(examined: Examined) -> Iterator[Finding]:
    """Images whose axes point another way than most images' do."""
    by_code: dict[str, list[str]] = defaultdict(list)
    for look in examined.target.usable:
        by_code[look.orientation].append(look.case.name)
    if len(by_code) > 1:
        most, *others = sorted(by_code, key=lambda code: (-len(by_code[code]), code))
        words = "; ".join(f"{len(by_code[one])} {one or 'unknown'} ({some(by_code[one])})" for one in others)
        yield Finding(
            "warning",
            "orientation",
            f"the images' axes point different ways: {len(by_code[most])} images are {most or 'unknown'}, "
            f"{words}. {examined.reader} does not turn them, the network sees them mirrored or lying down.",
            f"Turn these images and their labels: SimpleITK.DICOMOrient(image, {most or 'LPS'!r})",
        )


def axes(examined: Examined) -> Iterator[Finding]:
    """Slices along another axis than in the model's images."""
    wanted = np.array(examined.settings["spacing"], dtype=float)
    order = list(examined.plans["transpose_forward"])
    if len(wanted) != 3:
        return
    here = np.median(examined.target.spacings_mm, 0)
    if _factor(here[order], wanted) <= FAR_SPACING:
        return
    fitting = [
        turn for turn in permutations(range(3)) if _factor(here[list(turn)][order], wanted) <= FAR_SPACING
    ]
    if fitting:
        # Arrays have the axes the other way round than files.
        of_file = [2 - axis for axis in reversed(fitting[0])]
        yield Finding(
            "warning",
            "axes",
            f"the spacing {in_words(here[order])} mm is that of the model, {in_words(wanted)} mm, with other "
            "axes: the slices probably lie along another axis than in its images.",
            f"Turn images and labels: SimpleITK.PermuteAxes(image, {of_file})",
        )


def field_of_view(examined: Examined) -> Iterator[Finding]:
    """Images that are small beside the patch once they have the model's spacing."""
    target, patch = examined.target, examined.patch
    if target.flat and len(patch) == 3:
        return  # which is an error of its own
    sizes = resampled(
        target.spacings_mm, target.shapes, examined.settings["spacing"], examined.plans["transpose_forward"]
    )[:, -len(patch) :]
    filled = np.prod(np.minimum(sizes, patch) / patch, axis=1)
    small = [look.case.name for look, share in zip(target.usable, filled, strict=True) if share < FILLED]
    if not small:
        return
    median = np.median(sizes, axis=0)
    smaller = patch_around(median.tolist(), patch, examined.settings)
    text = (
        f"{share_in_words(small, len(filled))} fill less than {FILLED:.0%} of the patch {in_words(patch)} at "
        f"the model's spacing, where the median image has {in_words(median)}; of their patches "
        f"{1 - filled[filled < FILLED].mean():.0%} is padding."
    )
    if np.prod(np.minimum(median, smaller) / smaller) < HARDLY_FILLED:
        yield Finding(
            "error", "field of view", text, "Take a model of finer spacing, or with a smaller patch."
        )
        return
    remedy = f"Plan with --patch_size {' '.join(map(str, smaller))}"
    if smaller == patch:
        remedy = "The network takes no smaller patch that still holds the median image; nnU-Net pads."
    yield Finding("warning" if 2 * len(small) > len(filled) else "note", "field of view", text, remedy)


def _factor(got: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float(np.maximum(got / wanted, wanted / got).max())
