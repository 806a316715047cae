"""Finished labels come in: each file is looked at, what is wrong is refused, the rest goes into ``labelsTr``.

Owns the order of steps, and that no label is ever lost. Must not import nnU-Net itself.
"""

__all__ = ["collect"]

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from tqdm import tqdm

from nnunet_slpt import files
from nnunet_slpt.datasets.image_checks import read_file
from nnunet_slpt.datasets.image_files import spacing_files
from nnunet_slpt.datasets.label_checks import read_label
from nnunet_slpt.datasets.label_files import label_files, write_label_files
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.selection.desk import Desk
from nnunet_slpt.selection.handover.collection import Collection
from nnunet_slpt.selection.handover.deliveries import Delivery, find_deliveries
from nnunet_slpt.selection.handover.duplicates import mark_duplicates
from nnunet_slpt.selection.handover.examination import Examiner, Finding
from nnunet_slpt.selection.handover.report import Collected, write_reports

REPLACED = "labelsTr_replaced"


def collect(asked: Collection) -> Collected:
    """Take finished labels into a dataset.

    Args:
        asked: which, and how.

    Returns:
        What became of each file.

    Raises:
        SLPTError: there is nothing to look at, or a file cannot be written; labels written before stay.
    """
    desk = Desk.as_left(asked.dataset)
    if desk.hide_labels:
        raise DatasetError(
            f"The rounds of {desk.raw.name} were made with --hide_labels: its labels are all there, and "
            "rounds only count some of them. There is nothing to collect."
        )
    deliveries = find_deliveries(asked.folder, desk.cases)
    if not asked.dry_run:
        _check_writable(deliveries, desk)
    with nullcontext() if asked.dry_run else desk.store.exclusive():
        # Looked at anew: another call may have ended since, and its labels are not to be replaced unasked.
        examiner = Examiner(Desk.as_left(asked.dataset), asked)
        findings = [examiner.examine(one) for one in tqdm(deliveries, "labels", unit="file")]
        mark_duplicates(findings, examiner)
        collected = Collected(tuple(findings), examiner.desk.waiting, asked.dry_run)
        if not asked.dry_run:
            _store(collected.taken, examiner)
            write_reports(collected, examiner.desk.store)
    return collected


def _check_writable(deliveries: Sequence[Delivery], desk: Desk) -> None:
    """Before any label is read: they go to ``labelsTr``, or where dataset.json lists them."""
    labels = [desk.cases[one.name].label for one in deliveries if one.name in desk.cases]
    for folder in sorted({label.parent for label in labels}):
        files.check_writable(folder)


def _store(taken: Sequence[Finding], examiner: Examiner) -> None:
    kept = _free_folder(examiner.desk.raw / REPLACED)
    for found in taken:
        case = examiner.desk.cases[found.case]
        contents = _contents(found, examiner)
        for name in contents:
            if (there := case.label.parent / name).exists():
                files.back_up(there, kept / name)
        write_label_files(contents, case.label.parent)


def _contents(found: Finding, examiner: Examiner) -> dict[str, bytes]:
    """What is written for a label: its own bytes, or what nnU-Net's writer makes of its voxels."""
    case = examiner.desk.cases[found.case]
    if files.hash_of(found.file) != found.sha256:
        raise DatasetError(f"{found.file} was changed while it was looked at. Start again.")
    if found.as_it_is:
        written = (*spacing_files(found.file, numbered=False), found.file)
        return {file.name: files.read_bytes(file) for file in written}
    label = read_label(found.file, examiner.reader.read_seg)
    _, properties = read_file(case.images[0], lambda name: examiner.reader.read_images([name]))
    return label_files(label.voxels[0], properties, examiner.reader, case.label.name)


def _free_folder(base: Path) -> Path:
    number = 0
    while (base / f"{number:02d}").exists():
        number += 1
    return base / f"{number:02d}"
