"""The files that decide a case's voxels and spacing, and a hash of their content.

Opens them as bytes alone. Must not import nnU-Net or the networks.
"""

__all__ = ["image_files", "image_key", "spacing_files"]

import hashlib
from pathlib import Path

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.files import hash_of


def image_files(case: Case) -> list[Path]:
    """All files that decide a case's voxels and spacing: its images, and a TIFF's file of spacings."""
    return [*case.images, *spacing_files(case.images[0], numbered=True)]


def spacing_files(file: Path, *, numbered: bool) -> list[Path]:
    """The file in which nnU-Net's Tiff3DIO looks for a TIFF's spacing (imageio/tif_reader_writer.py).

    Args:
        file: an image or a label.
        numbered: as images are, ``NAME_0000``; the spacing's file is called after the name alone.

    Returns:
        It, if it is there and the file is a TIFF.
    """
    stem = file.stem[: -len("_0000")] if numbered else file.stem
    beside = file.with_name(f"{stem}.json")
    return [beside] if file.suffix.lower() in {".tif", ".tiff"} and beside.is_file() else []


def image_key(case: Case) -> str:
    """SHA-256 over the bytes of the image files in their order, and over a TIFF's file of spacings.

    Other bytes, another order or one file more give another key; names and folders do not matter.

    Args:
        case: whose images are hashed; labels are not looked at. A file that is missing counts as such.

    Raises:
        FileError: a file is there and cannot be read.
    """
    digest = hashlib.sha256()
    for file in image_files(case):
        content = hash_of(file)
        digest.update(bytes.fromhex(content) if content else b"missing")
    return digest.hexdigest()
