"""What there is to do in one folder of preprocessed data, and why. Looks, and changes nothing.

Must not run nnU-Net.
"""

__all__ = ["Agenda", "agenda_of", "input_files"]

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnunet_slpt.datasets import Case
from nnunet_slpt.datasets.image_files import image_files
from nnunet_slpt.errors import some
from nnunet_slpt.preprocessing.recipe import Recipe
from nnunet_slpt.preprocessing.stamps import renewed
from nnunet_slpt.preprocessing.store import Record, Store

LABEL = "label"
# Why a case is made.
NEW = "new"
OTHER_LABEL = "the label was changed"
OTHER_IMAGES = "the images were changed"
OTHER_RECIPE = "the plans, the labels of dataset.json or nnU-Net's version were changed"
OTHER_FILES = "the preprocessed files were changed or lost"
UNKNOWN = "preprocessed by another command or cut short, and not known from what"
FIRST_LABEL = "it has a label now"
LOST_LABEL = "no label any more"  # made without one, if that is asked for
# Why one is taken out.
GONE = "no label any more"
NOT_ASKED_FOR = "made without a label and not asked for (--unlabelled)"


@dataclass(frozen=True)
class Agenda:
    """The work in one folder.

    Args:
        recipe: of the data.
        store: the folder and its records.
        kept: cases that are as they should be → their record, with the present times of the files.
        to_make: case → why.
        to_set_aside: case → why it is taken out; those that are made again are in ``to_make`` as well.
    """

    recipe: Recipe
    store: Store
    kept: Mapping[str, Record]
    to_make: Mapping[str, str]
    to_set_aside: Mapping[str, str]

    def lines(self) -> list[str]:
        """It in words: a line with the numbers, and one for each reason."""
        reasons: dict[str, list[str]] = defaultdict(list)
        for case, reason in self.to_make.items():
            reasons[f"to preprocess, {reason}"].append(case)
        for case, reason in self.to_set_aside.items():
            reasons[f"to take out, {reason}"].append(case)
        return [
            f"{self.recipe.name} ({self.recipe.folder_name}): {len(self.kept)} case(s) up to date.",
            *(f"  {len(cases)} {reason}: {some(cases)}" for reason, cases in reasons.items() if cases),
        ]


def agenda_of(recipe: Recipe, cases: Sequence[Case], home: Path) -> Agenda:
    """Compare a folder with what should be in it.

    Args:
        recipe: of the data.
        cases: that should be there, with or without a label.
        home: the preprocessed dataset's folder.

    Raises:
        FileError: a file cannot be read.
    """
    store = Store(home, recipe.folder_name)
    found = {case.name: _look_at(case, recipe, store) for case in cases}
    labelled = {case.name: case.labelled for case in cases}
    return Agenda(
        recipe,
        store,
        kept={name: answer for name, answer in found.items() if isinstance(answer, Record)},
        to_make={name: answer for name, answer in found.items() if isinstance(answer, str)},
        to_set_aside={
            name: reason
            for name in sorted(store.names())
            if (reason := _why_out(store.read(name), labelled.get(name)))
        },
    )


def input_files(case: Case) -> dict[str, Path]:
    """What a case is made from: ``label``, if it has one, and ``image_0``, ``image_1`` … → file."""
    images = {f"image_{number}": file for number, file in enumerate(image_files(case))}
    return {LABEL: case.label, **images} if case.labelled else images


def _look_at(case: Case, recipe: Recipe, store: Store) -> Record | str:
    """The record of a case that is as it should be, or why it has to be made."""
    record, files = store.read(case.name), store.files(case.name)
    if record is None:
        return UNKNOWN if files else NEW
    if record.recipe != recipe.key:
        return OTHER_RECIPE
    inputs = renewed(record.inputs, input_files(case))
    if inputs is None:
        return _what_changed(record, case)
    outputs = renewed(record.outputs, files)
    return OTHER_FILES if outputs is None else replace(record, inputs=inputs, outputs=outputs)


def _what_changed(record: Record, case: Case) -> str:
    label = record.inputs.get(LABEL)
    if label is None:
        return FIRST_LABEL if case.labelled else OTHER_IMAGES
    if not case.labelled:
        return LOST_LABEL
    return OTHER_IMAGES if label.renewed(case.label) else OTHER_LABEL


def _why_out(record: Record | None, labelled: bool | None) -> str:
    """Why the files of a case are set aside; empty if they are not.

    Args:
        record: of the case; without one it may hold the last of a label that is gone.
        labelled: ``None`` if the case is not asked for.
    """
    without = record is not None and LABEL not in record.inputs
    if labelled is None:
        return NOT_ASKED_FOR if without else GONE
    if labelled or without:
        return ""
    return GONE if record else UNKNOWN
