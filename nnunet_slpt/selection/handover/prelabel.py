"""Out to the annotators: a folder a round with what the model predicts, how unsure it is, and the worklist.

Each prediction is written twice: for the annotators, who may correct it where it lies, and as predicted, so
that ``nnunet_slpt_collect`` can tell what was changed. Must not import nnU-Net itself.
"""

__all__ = [
    "EARLIER",
    "OPEN",
    "PREDICTED",
    "check_prelabel",
    "prelabel",
    "write_prelabels",
]

import json
from collections.abc import Callable, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nnunet_slpt import files
from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.datasets.label_files import label_files, write_label_files
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.desk import Desk
from nnunet_slpt.selection.handover.label_names import translation
from nnunet_slpt.selection.maps import predict
from nnunet_slpt.selection.request import Request
from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.selection.rounds import Round, waiting_cases
from nnunet_slpt.selection.sight import Sight
from nnunet_slpt.versions import versions_of

Say = Callable[[str], None]
OPEN = "to_annotate"  # the annotators' folder of a round
PREDICTED = "prelabels"  # the same files as they were predicted; nobody writes there but this module
EARLIER = "earlier"  # in it: what other models predicted before; copies of it may still come in
UNSURE = "_uncertainty"


def prelabel(request: Request, say: Say = print) -> Round:
    """Pre-label the cases of the last round that have no label yet.

    Args:
        request: which dataset and model; its budget is not looked at.
        say: told what is going on, a line at a time.

    Returns:
        The round, which stays as it is.

    Raises:
        SLPTError: there is no round, no case waits, or the model cannot be used; nothing has been written.
    """
    desk = Desk.as_left(request.dataset, request.skip_unreadable)
    with desk.store.exclusive():
        if not desk.rounds:
            raise SelectionError(
                f"--prelabel without -n is for the last round, and {desk.raw.name} has none. Add -n BUDGET."
            )
        last = desk.rounds[-1]
        labelled = () if desk.hide_labels else desk.labelled
        waiting = waiting_cases([last], labelled, desk.cases)
        if not waiting:
            raise SelectionError(
                f"No case of round {last.number} waits for a label, expected 1 or more to pre-label. Choose "
                "the next cases with -n BUDGET."
            )
        sight = Sight(request, desk.cases, desk.dataset_json, desk.store.folder)
        check_prelabel(sight)
        say(sight.in_words())
        write_prelabels(sight, desk.store, last.number, waiting, say)
    return last


def check_prelabel(sight: Sight) -> None:
    """Refuse a model whose prediction would be no label of the dataset.

    Args:
        sight: with the model.

    Raises:
        SLPTError: other channels, another file ending, no label of the same name, or a mere pretraining.
    """
    sight.model.check_tuned("--prelabel")
    sight.model.check_fits(sight.dataset_json)
    LabelValues.of(sight.dataset_json)  # or nobody knows what its labels mean
    translation(sight.model.predictor.dataset_json, sight.dataset_json)


def write_prelabels(sight: Sight, store: RoundStore, number: int, names: Sequence[str], say: Say) -> None:
    """Write ``CASE`` and ``CASE_uncertainty`` in the dataset's file ending, and the worklist, for a round.

    What somebody has changed in the annotators' folder stays as it is, and earlier predictions are kept.

    Args:
        sight: with the model; checked.
        store: locked.
        number: of the round.
        names: of its cases.
        say: told what was written.
    """
    ending = sight.dataset_json["file_ending"]
    opened, predicted = store.beside(number, OPEN), store.beside(number, PREDICTED)
    begun = [name for name in names if _is_begun(f"{name}{ending}", opened, predicted)]
    images = [(name, sight.cases[name].images) for name in names if name not in begun]
    to_ours = translation(sight.model.predictor.dataset_json, sight.dataset_json)
    writer = sight.model.predictor.plans_manager.image_reader_writer_class()
    earlier = predicted / EARLIER / f"{len([*predicted.glob(f'{EARLIER}/*')]):02d}"
    seen = sight.model.preprocess(images, sight.request.preprocessing)
    for name, image, properties in tqdm(seen, "prelabels", len(images), unit="case"):
        labels, unsure = predict(image, properties, sight.model.predictor)
        if _is_begun(f"{name}{ending}", opened, predicted):  # since this call began
            begun.append(name)
            continue
        label = label_files(_translated(labels, to_ours), properties, writer, f"{name}{ending}")
        percent = np.rint(unsure).astype(np.uint8)
        # As predicted first: where the annotators' file is missing, the next call writes both again.
        _keep(label, predicted, earlier)
        write_label_files(label, predicted)
        write_label_files(label, opened)
        write_label_files(label_files(percent, properties, writer, f"{name}{UNSURE}{ending}"), opened)
    written = [name for name in names if name not in begun]
    if written:
        _write_worklist(store, opened, predicted)
        _write_model(written, _about(sight, to_ours), predicted, earlier)
    _tell(sight, to_ours, len(written), begun, opened, say)


def _is_as_written(file: Path, predicted: Path) -> bool:
    """Whether a file of the annotators' folder is one that ``write_prelabels`` has put there.

    Args:
        file: that may have been saved since.
        predicted: the folder beside theirs. A run may have been killed between the two: earlier ones count.
    """
    written = (predicted / file.name, *predicted.glob(f"{EARLIER}/*/{escape(file.name)}"))
    return files.hash_of(file) in [files.hash_of(one) for one in written if one.exists()]


def _keep(contents: Mapping[str, bytes], predicted: Path, earlier: Path) -> None:
    """A copy of what is there under these names, where it is about to become something else."""
    for name, content in contents.items():
        old = predicted / name
        if old.exists() and files.read_bytes(old) != content:
            files.back_up(old, earlier / name)


def _write_model(names: Sequence[str], about: dict[str, Any], predicted: Path, earlier: Path) -> None:
    """Which model predicted which cases; another one's record is kept beside what it had predicted."""
    file = predicted / "model.json"
    before = json.loads(files.read_bytes(file)) if file.exists() else {}
    same = before.get("model") == about["model"]
    if before and (earlier.exists() or not same):
        files.back_up(file, earlier / file.name)
    others = before["cases"] if same else []
    files.write_json(file, {"cases": sorted({*others, *names}), **about})


def _write_worklist(store: RoundStore, opened: Path, predicted: Path) -> None:
    """Beside the labels; notes that somebody has made in it stay."""
    name = store.worklist_file.name
    if not store.worklist_file.exists():  # somebody has taken it along
        return
    if not _is_begun(name, opened, predicted):
        for folder in (predicted, opened):
            files.write_bytes(folder / name, files.read_bytes(store.worklist_file))


def _is_begun(name: str, opened: Path, predicted: Path) -> bool:
    return (opened / name).exists() and not _is_as_written(opened / name, predicted)


def _translated(labels: NDArray[Any], to_ours: dict[int, int]) -> NDArray[np.uint16]:
    table = np.zeros(max(to_ours) + 1, np.uint16)
    table[list(to_ours)] = list(to_ours.values())
    translated: NDArray[np.uint16] = table[labels]
    return translated


def _about(sight: Sight, to_ours: dict[int, int]) -> dict[str, Any]:
    return {
        "versions": versions_of("nnunetv2"),
        "model": sight.about(predicts=True),
        "labels": {str(theirs): ours for theirs, ours in to_ours.items()},
    }


def _tell(
    sight: Sight, to_ours: dict[int, int], written: int, begun: Sequence[str], opened: Path, say: Say
) -> None:
    say(f"Wrote pre-labels of {written} cases to {opened}. Correct them there, or copy them to a folder.")
    known = {*to_ours.values()}
    classes = LabelValues.of(sight.dataset_json).classes
    missing = [name for name, numbers in classes.items() if not {*numbers} <= known]
    if missing:
        say(f"The model does not know {', '.join(missing)}: draw these anew.")
    if begun:
        say(f"Left as they are, because somebody has changed them: {', '.join(begun)}.")
