"""One look at a case: its images and its label are read once, and what the checks need of them is kept.

Owns what is remembered of a case; judges nothing but whether the files can be used. Must not import the
networks. Writes nothing.
"""

__all__ = ["Look", "Range", "look_at"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import SimpleITK
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from numpy.typing import NDArray

from nnunet_slpt.datasets import Case
from nnunet_slpt.datasets.geometry import KINDS, SHIFTS, Geometry, differences, geometry_of
from nnunet_slpt.datasets.image_checks import ImageReader, read_case
from nnunet_slpt.datasets.label_checks import Label, LabelValues, label_problems, read_label
from nnunet_slpt.errors import DatasetError

ITK: Any = SimpleITK  # it has no types
VOXELS_OF_A_CHANNEL = 1_000_000  # for percentiles: an image of 512 x 512 x 600 has 150 times as many
VOXELS_OF_A_LABEL = 10_000  # as in nnU-Net's fingerprint of 10,000 cases; ours never has to be exact


class Range(NamedTuple):
    """Intensities of one channel of one image, the rim included."""

    lowest: float
    low: float  # 0.5th percentile
    high: float  # 99.5th percentile
    highest: float


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a case; all but the first two is empty if its images cannot be used.

    Args:
        case: which.
        image_problem: why its images cannot be used, in words; empty if they can.
        label_problems: why its label cannot be used.
        label_shift: where a label that can be used lies elsewhere than its image; empty if it does not.
        spacing_mm: along the axes as the reader gives them.
        shape: in voxels, without an empty rim.
        orientation: where the file's axes point to, such as ``LPS``; empty if the file does not tell.
        ranges: one a channel.
        values: in the label; empty without one.
        foreground: for each channel a sample of its intensities under the label; empty without any.
    """

    case: Case
    image_problem: str = ""
    label_problems: tuple[str, ...] = ()
    label_shift: str = ""
    spacing_mm: tuple[float, ...] = ()
    shape: tuple[int, ...] = ()
    orientation: str = ""
    ranges: tuple[Range, ...] = ()
    values: frozenset[float] = frozenset()
    foreground: tuple[NDArray[np.float32], ...] = ()


def look_at(case: Case, reader: ImageReader, channels: int, values: LabelValues) -> Look:
    """Read a case's images, and its label if there is one.

    Args:
        case: to look at.
        reader: that the training will use.
        channels: how many there must be.
        values: that a label may hold.
    """
    try:
        images, properties = read_case(case, reader, channels)
    except DatasetError as problem:
        return Look(case, image_problem=str(problem))
    geometry = geometry_of(images, properties)
    label, problems = _label(case, reader, geometry, values)
    whole = label is not None and label.voxels.shape[1:] == images.shape[1:]
    return Look(
        case,
        label_problems=problems,
        label_shift="; ".join(differences(label.geometry, geometry, SHIFTS))
        if label and not problems
        else "",
        spacing_mm=tuple(map(float, properties["spacing"])),
        shape=crop_to_nonzero(images)[0].shape[1:],
        orientation=orientation_of(properties),
        ranges=tuple(map(_range, images)),
        values=frozenset() if label is None else frozenset(np.unique(label.voxels).tolist()),
        foreground=_foreground(images, label.voxels, values.ignore) if label is not None and whole else (),
    )


def orientation_of(properties: Mapping[str, Any]) -> str:
    """Where the axes of a file point to as the reader hands it over, such as ``LPS``; empty if unknown.

    Args:
        properties: from one of nnU-Net's readers.
    """
    if "sitk_stuff" in properties:
        direction = np.asarray(properties["sitk_stuff"]["direction"], dtype=float)
        axes = round(len(direction) ** 0.5)
        matrix = direction.reshape(axes, axes)[:3, :3]
    elif "nibabel_stuff" in properties:
        affines = properties["nibabel_stuff"]  # NibabelIOWithReorient turns all images the same way
        affine = np.asarray(affines.get("reoriented_affine", affines["original_affine"]), dtype=float)
        towards_left_and_back = np.diag(
            [-1.0, -1.0, 1.0]
        )  # ITK's directions, where nibabel has right and front
        matrix = towards_left_and_back @ affine[:3, :3]
        matrix = matrix / np.linalg.norm(matrix, axis=0)
    else:
        return ""
    if matrix.shape != (3, 3):
        return ""
    return str(ITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(matrix.ravel().tolist()))


def _label(
    case: Case, reader: ImageReader, image: Geometry, values: LabelValues
) -> tuple[Label | None, tuple[str, ...]]:
    if not case.labelled:
        return None, ()
    try:
        label = read_label(case.label, reader.read_seg)
    except DatasetError as problem:
        return None, (str(problem),)
    # Empty ones are for a check of their own: they may be meant so. So are shifted ones, which nnU-Net takes.
    refused = {*KINDS} - {*SHIFTS}
    return label, tuple(label_problems(label, image, values, allow_empty=True, kinds=refused))


def _range(voxels: NDArray[np.float32]) -> Range:
    sample = voxels.ravel()[:: max(1, voxels.size // VOXELS_OF_A_CHANNEL)]
    low, high = np.percentile(sample, (0.5, 99.5))
    return Range(float(voxels.min()), float(low), float(high), float(voxels.max()))


def _foreground(
    images: NDArray[np.float32], label: NDArray[np.float32], ignore: int | None
) -> tuple[NDArray[np.float32], ...]:
    """Intensities of what is labelled; what nobody has annotated is not."""
    annotated = label if ignore is None else np.where(label == ignore, 0, label)
    samples, _ = DatasetFingerprintExtractor.collect_foreground_intensities(
        annotated, images, num_samples=VOXELS_OF_A_LABEL
    )
    return tuple(np.asarray(sample) for sample in samples if len(sample))
