"""The dataset that plans are made for: its two folders, and what its images look like.

Reads; writes nothing. Must not import the networks.
"""

__all__ = ["Target"]

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.imageio.reader_writer_registry import recursive_find_reader_writer_by_name
from numpy.typing import NDArray

from nnunet_slpt.datasets import (
    Case,
    channel_count,
    channel_names,
    dataset_folder,
    preprocessed_folder,
    read_cases,
    read_dataset_json,
)
from nnunet_slpt.datasets.fingerprint import extract_fingerprint, knows_intensities
from nnunet_slpt.datasets.image_checks import ImageReader, check_one, find_reader
from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.files import read_bytes
from nnunet_slpt.host_conventions import FINGERPRINT_FILE, HOST_FOLDS, SPLIT_FILE


@dataclass(frozen=True)
class Target:
    """A dataset as it lies on disk; each part is read when it is first asked for.

    Args:
        raw: its folder in ``nnUNet_raw``.
        preprocessed: its folder in ``nnUNet_preprocessed``, which may be missing.
        processes: how many read images at the same time.
    """

    raw: Path
    preprocessed: Path
    processes: int = 1

    @classmethod
    def of(cls, dataset: str, processes: int = 1) -> "Target":
        """The dataset of this name or number.

        Args:
            dataset: as ``-d`` of nnU-Net's commands takes it.
            processes: how many read images at the same time.

        Raises:
            DatasetError: there is no such dataset, or several; ``nnUNet_preprocessed`` is not set.
        """
        raw = dataset_folder(dataset)
        return cls(raw, preprocessed_folder(raw.name), processes)

    @property
    def name(self) -> str:
        """Of the dataset."""
        return self.raw.name

    @cached_property
    def dataset_json(self) -> dict[str, Any]:
        """The raw dataset's description."""
        return read_dataset_json(self.raw)

    @cached_property
    def label_values(self) -> LabelValues:
        """What labels may hold."""
        return LabelValues.of(self.dataset_json)

    @cached_property
    def cases(self) -> list[Case]:
        """All cases, labelled or not."""
        return read_cases(self.raw, hide_labels=False)

    @property
    def labelled(self) -> int:
        """How many cases have a label."""
        return sum(case.labelled for case in self.cases)

    @property
    def fold(self) -> str:
        """The fold to train now: the first, if all its cases are labelled and nnU-Net finds or makes it."""
        files = [folder / SPLIT_FILE for folder in (self.preprocessed, self.raw)]
        file = next((one for one in files if one.is_file()), None)
        if file is None:
            return "0" if self.labelled >= HOST_FOLDS else "all"
        try:
            first = json.loads(read_bytes(file))[0]
            named = {*first["train"], *first["val"]}
        except (ValueError, LookupError, TypeError):
            return "all"
        return "0" if named <= {case.name for case in self.cases if case.labelled} else "all"

    @property
    def channels(self) -> list[str]:
        """The channels' names."""
        return channel_names(self.dataset_json)

    @cached_property
    def own_reader(self) -> ImageReader:
        """The reader that nnU-Net would take for this dataset."""
        return find_reader(self.cases, self.dataset_json)

    def reader(self, preferred: str) -> ImageReader:
        """The model's reader, if it reads these files and ``dataset.json`` asks for no other; else our own.

        A reader decides how the axes lie in the arrays (``NibabelIOWithReorient`` turns every image the same
        way), so the network sees its images as it knows them only through the one that it was trained with.

        Args:
            preferred: name of the model's reader.
        """
        asked_for = self.dataset_json.get("overwrite_image_reader_writer", "None")  # nnU-Net's "not given"
        found = self.reader_class(preferred) if asked_for == "None" else None
        if found is None:
            return self.own_reader
        reader: ImageReader = found()
        reads_one = any(not check_one(case, reader) for case in self.cases)  # the first may be damaged
        return reader if reads_one else self.own_reader

    def reader_class(self, name: str) -> type[ImageReader] | None:
        """The reader of this name, if it is at hand and knows this dataset's file ending.

        Args:
            name: of its class.
        """
        try:
            found: Any = recursive_find_reader_writer_by_name(name)
        except RuntimeError:  # of another version, or somebody's own
            return None
        knows_ending = self.dataset_json["file_ending"].lower() in found.supported_file_endings
        reader: type[ImageReader] = found
        return reader if knows_ending else None

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """nnU-Net's fingerprint: the one that is there, else one of all images and the labels that there are.

        One that was made before there was any label is made again when there are some.
        """
        file = self.preprocessed / FINGERPRINT_FILE
        if file.exists():
            there = _read_fingerprint(file)
            if knows_intensities(there) or not self.labelled:
                return there
        channels = channel_count(self.dataset_json)
        with Workers(self.processes) as workers:
            return extract_fingerprint(self.cases, self.own_reader, channels, workers)

    @property
    def spacings_mm(self) -> NDArray[np.float64]:
        """(cases, 3): of every image, axes as the reader gives them."""
        return np.array(self.fingerprint["spacings"], dtype=np.float64)

    @property
    def shapes(self) -> NDArray[np.int64]:
        """(cases, 3): voxels of every image without its empty rim."""
        return np.array(self.fingerprint["shapes_after_crop"], dtype=np.int64)

    @property
    def flat(self) -> bool:
        """Whether every image is a single slice."""
        return bool((self.shapes[:, 0] == 1).all())


def _read_fingerprint(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_bytes(file))
        np.array(content["spacings"], dtype=float).reshape(-1, 3)
        np.array(content["shapes_after_crop"], dtype=int).reshape(-1, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{file} is no fingerprint as nnU-Net writes it ({type(error).__name__}: {error}). Remove it; it "
            "is made again."
        ) from error
    return content
