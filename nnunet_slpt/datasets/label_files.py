"""Labels as files, in nnU-Net's own words: its writer makes them, this module puts them where they belong.

Must not import the networks.
"""

__all__ = ["label_files", "write_label_files"]

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.datasets.image_checks import ImageReader
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.files import write_bytes


def label_files(
    voxels: NDArray[Any], properties: Mapping[str, Any], writer: ImageReader, name: str
) -> dict[str, bytes]:
    """File name → content. A TIFF has a second file beside it, with its spacing; the label comes last.

    Args:
        voxels: (X, Y, Z), whole numbers; written in the smallest type that holds them.
        properties: of the image, from the writer's own reader: there the label lies.
        writer: of nnU-Net.
        name: of the label's file.

    Raises:
        DatasetError: read again, it would hold other values.
    """
    with TemporaryDirectory() as folder:
        file = str(Path(folder) / name)
        writer.write_seg(voxels, file, properties)
        if not np.array_equal(writer.read_seg(file)[0][0], voxels):
            raise DatasetError(
                f"{name}: what nnU-Net's {type(writer).__name__} writes of this label, it reads with other "
                f"values; it holds 0 to {voxels.max():g}. Number the labels in dataset.json from 0 on."
            )
        written = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    return dict(sorted(written.items(), key=lambda item: item[0] == name))


def write_label_files(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write each file whole or not at all, the label last.

    Args:
        contents: file name → content, from ``label_files``.
        folder: made where it is missing.

    Raises:
        FileError: the disk is full, or the folder read-only.
    """
    for name, content in contents.items():
        write_bytes(folder / name, content)
