"""What nnU-Net's training needs beside the cases: dataset.json, the fingerprint, labels to validate with.

Must not touch the preprocessed cases or the raw dataset.
"""

__all__ = ["write_companions"]

import filecmp
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
    DatasetFingerprintExtractor,
)

from nnunet_slpt.datasets import Case
from nnunet_slpt.files import back_up, move, remove, write_json
from nnunet_slpt.preprocessing.store import OWN_FOLDER

DATASET_JSON = "dataset.json"
FINGERPRINT = "dataset_fingerprint.json"
LABELS = "gt_segmentations"


def write_companions(
    home: Path,
    place: Path,
    dataset_json: dict[str, Any],
    cases: Sequence[Case],
    processes: int,
    say: Callable[[str], object],
) -> None:
    """Bring the files beside the preprocessed cases up to date.

    Args:
        home: the preprocessed dataset's folder.
        place: a folder inside it, for what is not finished.
        dataset_json: of the raw dataset.
        cases: the labelled ones.
        processes: that read images for the fingerprint.
        say: told what is changed.

    Raises:
        FileError: the file system refuses.
    """
    _copy_dataset_json(home, dataset_json, say)
    _copy_labels(home, place, dataset_json["file_ending"], cases, say)
    if not (home / FINGERPRINT).is_file():
        _make_fingerprint(home, place, cases, processes)
        say(f"Wrote {home / FINGERPRINT}.")


def _copy_dataset_json(home: Path, dataset_json: dict[str, Any], say: Callable[[str], object]) -> None:
    file = home / DATASET_JSON
    if file.is_file():
        try:
            if json.loads(file.read_text(encoding="utf-8")) == dataset_json:
                return
        except ValueError:
            pass  # damaged, and replaced like any other that differs
        backup = back_up(file, home / OWN_FOLDER / "dataset_before.json")
        say(f"{file} is not the raw dataset's any more and is written anew; the old one is {backup}.")
    write_json(file, dataset_json)


def _copy_labels(
    home: Path, place: Path, ending: str, cases: Sequence[Case], say: Callable[[str], object]
) -> None:
    folder = home / LABELS
    folder.mkdir(exist_ok=True)
    labels = {folder / f"{case.name}{ending}": case.label for case in cases}
    for file in sorted(path for path in folder.iterdir() if path.is_file() and path not in labels):
        # It may be the last copy of what somebody has drawn.
        removed = home / OWN_FOLDER / "removed" / LABELS
        removed.mkdir(parents=True, exist_ok=True)
        say(f"Moved {file} to {back_up(file, removed / file.name)}: the case has no label any more.")
        remove(file)
    for copy, label in labels.items():
        if not copy.is_file() or not filecmp.cmp(label, copy):  # asks size and time first
            shutil.copy2(label, place / copy.name)
            move(place / copy.name, copy)


def _make_fingerprint(home: Path, place: Path, cases: Sequence[Case], processes: int) -> None:
    extractor = DatasetFingerprintExtractor(home.name, processes)
    # By itself it takes all of imagesTr, and fails at a case that has no label.
    extractor.dataset = {
        case.name: {"images": [str(file) for file in case.images], "label": str(case.label)} for case in cases
    }
    # It writes into the folder of this name; killed while it does, it would leave half a file.
    extractor.dataset_name = str(place.relative_to(home.parent))
    extractor.run(overwrite_existing=True)
    move(place / FINGERPRINT, home / FINGERPRINT)
