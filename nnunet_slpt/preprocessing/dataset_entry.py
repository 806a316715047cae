"""The entry ``dataset`` of a raw dataset.json, for those who want to use nnU-Net's own commands as well.

Owns the one thing that is written into a raw dataset, only on request. Must not run nnU-Net.
"""

__all__ = ["check_entry", "write_dataset_entry"]

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import DatasetError, some
from nnunet_slpt.files import back_up, write_json


def write_dataset_entry(
    raw: Path, dataset_json: dict[str, Any], cases: Sequence[Case], backup: Path, say: Callable[[str], object]
) -> dict[str, Any]:
    """List the labelled cases in dataset.json, so that nnU-Net's commands see no others.

    Args:
        raw: folder of the raw dataset.
        dataset_json: its content.
        cases: the labelled ones. What the entry says of them already stays as it is.
        backup: where the old file is kept, if it has to be changed.
        say: told what is changed.

    Returns:
        The content with the entry, and with ``numTraining`` to match.

    Raises:
        FileError: the file cannot be written; it is unchanged then.
    """
    known = dataset_json.get("dataset", {})
    entry = {case.name: known.get(case.name, _described(case, raw)) for case in cases}
    changed = {**dataset_json, "dataset": entry, "numTraining": len(entry)}
    if changed != dataset_json:
        file = raw / "dataset.json"
        kept = back_up(file, backup)
        write_json(file, changed)
        say(f"{file} lists the {len(entry)} labelled cases; as it was before it is kept in {kept}.")
    return changed


def check_entry(raw: Path, cases: Sequence[Case]) -> None:
    """Refuse where a case without a label would be lost: known by the entry alone, and not listed any more.

    Args:
        raw: folder of the raw dataset.
        cases: all of them.

    Raises:
        DatasetError: there are such cases.
    """
    images = raw / "imagesTr"
    inside = {os.path.realpath(file) for file in images.iterdir()} if images.is_dir() else set()
    lost = [
        case.name for case in cases if not case.labelled and os.path.realpath(case.images[0]) not in inside
    ]
    if lost:
        raise DatasetError(
            f"--write_dataset_entry lists the labelled cases alone; {len(lost)} without a label are known by "
            f"that entry of dataset.json only: {some(lost)}. nnunet_slpt_select would not find them "
            f"any more. Put their images into {images} first, or leave the option out."
        )


def _described(case: Case, raw: Path) -> dict[str, Any]:
    return {"images": [_below(file, raw) for file in case.images], "label": _below(case.label, raw)}


def _below(file: Path, raw: Path) -> str:
    """The path as seen from the raw dataset, if it is inside: so the dataset can be moved."""
    folder = Path(os.path.abspath(raw))
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
