"""A raw dataset of the demo's own: what an earlier call left goes away, and nobody else's data.

Must not import torch or nnU-Net.
"""

__all__ = ["MARK", "begin_dataset"]

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "made by examples/demo"  # in the description of a dataset.json
PARTS = ("imagesTr", "labelsTr", "imagesTs", "labelsTs")


def begin_dataset(folder: Path, about: Mapping[str, Any]) -> None:
    """Make the folder of a raw dataset anew, with its ``dataset.json`` and nothing else.

    Args:
        folder: of the dataset.
        about: the content of ``dataset.json``, with ``MARK`` in its description.

    Raises:
        ValueError: there is a folder that the demo did not make.
    """
    described = folder / "dataset.json"
    if folder.exists() and not (described.exists() and MARK in described.read_text()):
        raise ValueError(
            f"{folder} is there without a mark that the demo made it, and stays as it is. Take another "
            "output folder; or remove it yourself, if an older demo made it."
        )
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    described.write_text(json.dumps(about, indent=2) + "\n")
