"""Can each image be read, is it complete, and do its channels fit together?

Reads images with nnU-Net's reader, never labels, and writes nothing. Must not import the networks.
"""

__all__ = [
    "ImageReader",
    "check_images",
    "check_one",
    "find_reader",
    "read_case",
    "read_file",
    "refuse_or_skip",
]

import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json
from numpy.typing import NDArray

from nnunet_slpt.datasets.cases import Case, channel_count
from nnunet_slpt.datasets.file_damage import damage
from nnunet_slpt.datasets.geometry import Geometry, differences, geometry_of, in_words
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError, in_lines

Read = tuple[NDArray[np.float32], dict[str, Any]]
_SILENCE = threading.RLock()  # what is redirected and logged is the whole process's, not the thread's


class ImageReader(Protocol):
    """What is used of nnU-Net's readers."""

    def read_images(self, image_fnames: Sequence[str]) -> Read:
        """Voxels (C, X, Y, Z), and where they lie."""

    def read_seg(self, seg_fname: str) -> Read:
        """Values (1, X, Y, Z) of a label, and where they lie."""

    def write_seg(self, seg: NDArray[Any], output_fname: str, properties: Mapping[str, Any]) -> None:
        """Write a label (X, Y, Z) in whole numbers, where the properties say."""


def find_reader(cases: Sequence[Case], dataset_json: Mapping[str, Any]) -> ImageReader:
    """The reader that nnU-Net would take: the first for the file ending that can read a case.

    Args:
        cases: tried in this order until one can be read; labels are not looked at.
        dataset_json: of the raw dataset.

    Raises:
        DatasetError: nnU-Net has no reader for the file ending.
    """
    # Without an example nnU-Net would read every .tif as a flat picture.
    for example in (*(str(case.images[0]) for case in cases), None):
        reader = _reader(dataset_json, example)
        if reader is not None:
            return reader
    raise DatasetError(
        f"nnU-Net has no reader for the file ending {dataset_json['file_ending']!r}. Correct file_ending or "
        "overwrite_image_reader_writer in dataset.json."
    )


def check_images(
    cases: Sequence[Case], dataset_json: Mapping[str, Any], processes: int, reader: ImageReader
) -> dict[str, str]:
    """Read each image once and tell what is wrong with it.

    Args:
        cases: whose images are read.
        dataset_json: of the raw dataset.
        processes: how many read at the same time; the answer does not depend on it.
        reader: from ``find_reader``.

    Returns:
        Name → problem in words, of the cases that have one, by ascending name.

    Raises:
        DatasetError: a reading process was killed.
    """
    ordered = sorted(cases, key=lambda case: case.name)
    check = partial(check_one, reader=reader, channels=channel_count(dataset_json))
    with Workers(processes) as workers:
        problems = workers.answers(check, ordered, "Checking images")
    return {case.name: problem for case, problem in zip(ordered, problems, strict=True) if problem}


def check_one(case: Case, reader: ImageReader, channels: int | None = None) -> str | None:
    """What is wrong with a case's images, in words; ``None`` if nothing is. The first problem is told.

    Args:
        case: whose images are read, one file after the other.
        reader: from ``find_reader``.
        channels: how many there must be; ``None`` accepts any number.
    """
    try:
        read_case(case, reader, channels)
    except DatasetError as problem:
        return str(problem)
    return None


def read_case(case: Case, reader: ImageReader, channels: int | None = None) -> Read:
    """A case's images if they are whole, fit together and show something.

    Args:
        case: whose images are read, one file after the other.
        reader: from ``find_reader``.
        channels: how many there must be; ``None`` accepts any number.

    Returns:
        Voxels (C, X, Y, Z), and what the reader tells of the first file.

    Raises:
        DatasetError: the first thing that is wrong.
    """
    read: list[Read] = []
    first: Geometry = {}
    for file in case.images:
        voxels, properties = _read_whole(file, reader)
        geometry = geometry_of(voxels, properties)
        first = first or geometry
        _check_geometry(file, geometry, first)
        read.append((voxels, properties))
    count = sum(len(voxels) for voxels, _ in read)
    if channels not in (None, count):
        raise DatasetError(f"its {len(case.images)} file(s) hold {count} channel(s), expected {channels}")
    if not any(voxels.min() < voxels.max() for voxels, _ in read):
        raise DatasetError("it is empty: all voxels of a channel have the same value")
    return np.concatenate([voxels for voxels, _ in read]) if len(read) > 1 else read[0][0], read[0][1]


def refuse_or_skip(problems: Mapping[str, str], skip_unreadable: bool) -> frozenset[str]:
    """Refuse images with problems, or leave these cases out if the user wants that.

    Args:
        problems: name → problem, from ``check_images``.
        skip_unreadable: leave out instead of refusing.

    Returns:
        The names of the cases left out.

    Raises:
        DatasetError: there are problems and they may not be skipped; the first are named.
    """
    if problems and not skip_unreadable:
        raise DatasetError(
            f"{len(problems)} case(s) have images that cannot be used:\n{in_lines(problems)}\n"
            "Repair or replace these files, or leave the cases out with --skip_unreadable."
        )
    return frozenset(problems)


def read_file(file: Path, read: Callable[[str], Read]) -> Read:
    """Voxels (C, X, Y, Z) and properties of a file that is whole.

    Args:
        file: an image or a label.
        read: a method of nnU-Net's reader, given the file's name.

    Raises:
        DatasetError: damaged, cut short, not to be read, or with NaN.
    """
    with _quietly() as complaints:
        problem = ""
        try:
            problem = damage(file)
            voxels, properties = read(str(file))
        except Exception as error:  # a damaged file can make a reader raise anything
            words = problem or f"cannot be read ({_words(error)})"
            raise DatasetError(f"{file.name}: {words}") from error
    if problem or complaints:
        raise DatasetError(f"{file.name}: {problem or f'damaged or cut short: {complaints[0]}'}")
    return voxels, properties


def _reader(dataset_json: Mapping[str, Any], example: str | None) -> ImageReader | None:
    with _quietly() as complaints:
        try:
            reader: ImageReader = determine_reader_writer_from_dataset_json(
                dataset_json, example, verbose=False
            )()
        except RuntimeError:
            return None
    return None if complaints else reader


class _Complaints(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _quietly() -> Iterator[list[str]]:
    """Silence the readers; what tifffile logs as an error is handed out instead.

    A TIFF that has lost its last slices is read without them, and nothing but the log tells.
    """
    complaints, log = _Complaints(), logging.getLogger("tifffile")
    nobody = io.StringIO()
    with _SILENCE, redirect_stdout(nobody), redirect_stderr(nobody), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.addHandler(complaints)
        try:
            yield complaints.messages
        finally:
            log.removeHandler(complaints)


def _read_whole(file: Path, reader: ImageReader) -> Read:
    voxels, properties = read_file(file, lambda name: reader.read_images([name]))
    # As SimpleITKIO.write_seg (imageio/simpleitk_reader_writer.py) refuses to, after a whole training.
    about = properties.get("sitk_stuff")
    if about and (len(voxels) > 1 or len(about["spacing"]) > 3):
        raise DatasetError(
            f"{file.name}: it has a fourth axis, of {len(voxels)} channel(s), and nnU-Net can write no "
            "prediction for it. Write each channel into a file of three axes, NAME_0000, NAME_0001 and so on"
        )
    wrong = voxels.size - int(np.isfinite(voxels).sum())
    if voxels.size == 0:
        raise DatasetError(f"{file.name}: no voxels, its shape is {in_words(voxels.shape)}")
    if wrong:
        raise DatasetError(f"{file.name}: {wrong} of {voxels.size} voxels are NaN or infinite")
    return voxels, properties


def _check_geometry(file: Path, got: Geometry, first: Geometry) -> None:
    if not (np.isfinite(got["spacing"]) & (got["spacing"] > 0)).all():
        numbers = in_words(got["spacing"])
        raise DatasetError(f"{file.name}: the voxel spacing is {numbers}, expected positive numbers")
    for difference in differences(got, first):
        raise DatasetError(f"{file.name}: {difference} as in the first channel")


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()}"[:120] if lines else type(error).__name__
