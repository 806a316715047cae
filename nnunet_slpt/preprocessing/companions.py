"""What nnU-Net's training needs beside the cases: dataset.json, the fingerprint, labels to validate with.

Must not touch the preprocessed cases, the raw dataset or a split file, about which it only tells.
"""

__all__ = ["split_notes", "write_companions"]

import filecmp
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnunet_slpt.datasets import Case, channel_count
from nnunet_slpt.datasets.fingerprint import extract_fingerprint
from nnunet_slpt.datasets.folders import label_copy
from nnunet_slpt.datasets.image_checks import find_reader
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import some
from nnunet_slpt.files import back_up, json_of, move, remove, replace_json, write_json
from nnunet_slpt.hidden_labels import hides_labels
from nnunet_slpt.host_conventions import FINGERPRINT_FILE, LABELS_FOLDER, SPLIT_FILE
from nnunet_slpt.preprocessing.store import OWN_FOLDER

DATASET_JSON = "dataset.json"
Say = Callable[[str], object]


def write_companions(
    home: Path,
    place: Path,
    dataset_json: dict[str, Any],
    cases: Sequence[Case],
    anew: Collection[str],
    workers: Workers,
    say: Say,
) -> None:
    """Bring the files beside the preprocessed cases up to date.

    Args:
        home: the preprocessed dataset's folder.
        place: a folder inside it, for what is not finished.
        dataset_json: of the raw dataset.
        cases: all that are preprocessed.
        anew: those of them that are made now, whose labels may have been changed.
        workers: that read images for the fingerprint.
        say: told what is changed.

    Raises:
        FileError: the file system refuses.
    """
    file = home / DATASET_JSON
    backup = replace_json(file, dataset_json, home / OWN_FOLDER / "dataset_before.json")
    if backup:
        say(f"{file} is not the raw dataset's any more and is written anew; the old one is {backup}.")
    ending = dataset_json["file_ending"]
    labelled = [case for case in cases if case.labelled]
    labels = {label_copy(home, case.name, ending): case.label for case in labelled}
    _set_aside_labels(home, labels.keys(), say)
    _copy_labels(place, labels, {label_copy(home, name, ending) for name in anew})
    if not (home / FINGERPRINT_FILE).is_file():
        reader, channels = find_reader(cases, dataset_json), channel_count(dataset_json)
        # As nnU-Net's, which is of labelled cases; where there are none yet, of what there is.
        write_json(home / FINGERPRINT_FILE, extract_fingerprint(labelled or cases, reader, channels, workers))
        say(f"Wrote {home / FINGERPRINT_FILE}.")


def split_notes(home: Path, cases: Sequence[Case]) -> list[str]:
    """Where the split file and the preprocessed cases differ, in words.

    nnU-Net never changes a split file that is there: what it does not name is not trained on.

    Args:
        home: the preprocessed dataset's folder.
        cases: that are preprocessed.
    """
    try:
        folds = json_of(home / SPLIT_FILE)
        split = {name for fold in folds for part in ("train", "val") for name in fold[part]}
    except (KeyError, TypeError):
        return []  # there is none, or it is another program's business
    names = {case.name for case in cases}
    unlabelled = {case.name for case in cases if not case.labelled}
    hidden = "are preprocessed and not in it: no round has chosen them (--hide_labels), so train no fold all"
    outside = "are preprocessed and not in it, so only fold all trains on them"
    notes = {
        hidden if hides_labels(home) else outside: sorted(names - split),
        "are in it and have no label, so only fold all can train until they have one": sorted(split - names),
        "are in it without a label, so its folds can only pretrain": sorted(split & unlabelled),
    }
    return [
        f"{home / SPLIT_FILE}: {len(who)} case(s) {what}: {some(who)}." for what, who in notes.items() if who
    ]


def _set_aside_labels(home: Path, kept: Collection[Path], say: Say) -> None:
    folder, removed = home / LABELS_FOLDER, home / OWN_FOLDER / "removed" / LABELS_FOLDER
    folder.mkdir(exist_ok=True)
    for file in sorted(file for file in folder.iterdir() if file.is_file() and file not in kept):
        # It may be the last copy of what somebody has drawn.
        removed.mkdir(parents=True, exist_ok=True)
        say(f"Moved {file} to {back_up(file, removed / file.name)}: the case has no label any more.")
        remove(file)


def _copy_labels(place: Path, labels: Mapping[Path, Path], anew: Collection[Path]) -> None:
    for copy, label in labels.items():
        if copy in anew or not copy.is_file() or not filecmp.cmp(label, copy):  # asks size and time first
            shutil.copyfile(label, place / copy.name)
            with suppress(OSError):  # on some shared drives; then it is compared byte by byte the next time
                shutil.copystat(label, place / copy.name)
            move(place / copy.name, copy)
