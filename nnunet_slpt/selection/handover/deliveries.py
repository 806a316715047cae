"""Which file of a folder is whose label.

Looks at names alone. Must not import torch or nnU-Net.
"""

__all__ = ["Delivery", "find_deliveries"]

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from nnunet_slpt.datasets.cases import without_ending
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.selection.handover.prelabel import UNSURE
from nnunet_slpt.selection.splits import spelled_as


@dataclass(frozen=True)
class Delivery:
    """A file that somebody brings.

    Args:
        file: as it was found.
        name: of the case, or what should be one.
    """

    file: Path
    name: str


def find_deliveries(folder: Path, cases: Collection[str]) -> list[Delivery]:
    """The images of a folder by name, but for hidden ones and our own maps of uncertainty.

    Args:
        folder: not looked into deeper.
        cases: their names.

    Raises:
        DatasetError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"-i is {folder}, which is no folder. Expected one with the finished labels.")
    found = [
        Delivery(file, spelled_as(without_ending(file.name), cases))
        for file in sorted(folder.iterdir())
        if not file.is_dir() and not file.name.startswith(".") and without_ending(file.name) != file.name
    ]
    ours = {f"{name}{UNSURE}" for name in cases}
    labels = [one for one in found if one.name in cases or one.name not in ours]
    if not labels:
        raise DatasetError(
            f"{folder} has no labels: {len(found)} images, none of them with the name of a case. Expected "
            f"files named as the cases, such as {next(iter(sorted(cases)))}, directly in the folder."
        )
    return labels
