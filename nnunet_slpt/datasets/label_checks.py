"""Can a drawn label be used with its image: does it lie on it, and does it hold nothing but known values?

Reads with nnU-Net's reader and writes nothing. Must not import the networks.
"""

__all__ = [
    "ON_THE_IMAGE",
    "Label",
    "LabelValues",
    "holds_integers",
    "label_problems",
    "read_label",
    "size_of",
]

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from numpy.typing import NDArray

from nnunet_slpt.datasets.geometry import KINDS, Geometry, differences, geometry_of, in_words
from nnunet_slpt.datasets.image_checks import Read, read_file
from nnunet_slpt.errors import DatasetError

ITK: Any = SimpleITK  # it has no types
AT_MOST = 8  # unknown values that a problem names
ON_THE_IMAGE = (
    "Draw on the image itself, or put the label on its grid with nearest neighbours (3D Slicer: export with "
    "the image as reference volume)"
)
# What a colour picture with a palette shows as RGB, Pillow reads as the numbers that it holds.
NOT_COLOURED = (
    "Of a colour picture (RGB, RGBA) give each colour the number of its class and save that as a grey "
    "picture; of one with a palette save the numbers, in Python: "
    "PIL.Image.fromarray(numpy.array(PIL.Image.open(FILE))).save(FILE)"
)

ORDER_HINT = (
    ' Beside "labels" it needs "regions_class_order": for each region, in the order of "labels", the value '
    "that a segmentation gets there, such as [1, 2, 3]; later ones win over earlier ones."
)


@dataclass(frozen=True)
class LabelValues:
    """The numbers that a dataset's labels may hold.

    Args:
        known: all of them, background and the ignore label included.
        ignore: the ignore label, if there is one.
        classes: name → its numbers, of the foreground; of regions several.
    """

    known: tuple[int, ...]
    ignore: int | None
    classes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, dataset_json: Mapping[str, Any]) -> "LabelValues":
        """As nnU-Net understands ``labels`` in ``dataset.json``.

        Raises:
            DatasetError: nnU-Net does not, or they are not numbered from 0 on.
        """
        labels = dataset_json["labels"]
        try:
            manager = LabelManager(labels, dataset_json.get("regions_class_order"))
        except Exception as error:  # it asserts
            raise DatasetError(
                f"nnU-Net does not understand the labels in dataset.json ({error}). Correct the file."
                + (ORDER_HINT if "regions_class_order" in str(error) else "")
            ) from error
        ignore = manager.ignore_label
        known = (*map(int, manager.all_labels), *([] if ignore is None else [int(ignore)]))
        if known != (*range(len(known)),):
            raise DatasetError(
                f"The labels of dataset.json are {[*known]}, nnU-Net expects 0, 1, 2 and so on. Number them "
                "without gaps, in dataset.json and in the label files."
            )
        numbers = {name: tuple(int(one) for one in np.atleast_1d(value)) for name, value in labels.items()}
        return cls(
            known=known,
            ignore=ignore,
            classes={name: value for name, value in numbers.items() if {*value} - {0, ignore}},
        )


@dataclass(frozen=True, eq=False)
class Label:
    """A label as nnU-Net reads it.

    Args:
        voxels: (1, X, Y, Z).
        geometry: where they lie.
    """

    voxels: NDArray[np.float32]
    geometry: Geometry


def read_label(file: Path, read: Callable[[str], Read]) -> Label:
    """Read a label's file.

    Args:
        file: to read.
        read: ``read_seg`` of nnU-Net's reader.

    Raises:
        DatasetError: damaged, cut short, not to be read, with NaN, or of several channels.
    """
    voxels, properties = read_file(file, read)
    if len(voxels) != 1 or voxels.size == 0:
        raise DatasetError(
            f"{file.name}: its shape is {in_words(voxels.shape)}, expected 1 channel that holds the number "
            f"of a class in each voxel. {NOT_COLOURED}"
        )
    return Label(voxels, geometry_of(voxels, properties))


def label_problems(
    label: Label,
    image: Geometry,
    values: LabelValues,
    allow_empty: bool,
    kinds: Collection[str] = tuple(KINDS),
) -> Iterator[str]:
    """Everything that is wrong with a label, each with what to do.

    Args:
        label: as read.
        image: where its image lies.
        values: that it may hold.
        allow_empty: there may be nothing but background.
        kinds: of geometry, in which it must not differ from its image.
    """
    lies = "; ".join(differences(label.geometry, image, kinds))
    if lies:
        yield f"{lies}, as its image has. {ON_THE_IMAGE}."
    found, counts = np.unique(label.voxels, return_counts=True)
    broken = found != np.round(found)
    unknown = ~broken & ~np.isin(found, values.known)
    expected = f"expected {in_words(values.known)} as in dataset.json"
    if broken.any():
        yield (
            f"{counts[broken].sum()} voxels hold fractions ({_first(found[broken])}), {expected}. It was "
            "smoothed or resampled: draw it again from whole numbers, resample with nearest neighbours."
        )
    if unknown.any():
        yield (
            f"{counts[unknown].sum()} voxels hold unknown values ({_first(found[unknown])}), {expected}. "
            "Change them in the label, or add them to dataset.json."
        )
    if not allow_empty and not {*found.tolist()} - {0, values.ignore}:
        yield "it is empty, nothing but background. If that is what the image shows: --allow_empty."


def holds_integers(file: Path) -> bool:
    """Whether the numbers in a file are stored as integers; by its header."""
    header = _header(file)
    return header is not None and "float" not in ITK.GetPixelIDValueAsString(header.GetPixelID())


def size_of(file: Path) -> tuple[int, ...]:
    """How many voxels a file has along each axis, by its header; empty if it cannot be read."""
    header = _header(file)
    return () if header is None else tuple(header.GetSize())


def _header(file: Path) -> Any:
    reader = ITK.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    return reader


def _first(values: NDArray[np.float32]) -> str:
    return in_words(values[:AT_MOST]) + (" …" if len(values) > AT_MOST else "")
