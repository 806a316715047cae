"""What there is to do in one folder of preprocessed data, and why. Looks, and changes nothing.

Must not run nnU-Net.
"""

__all__ = ["Agenda", "agenda_of", "input_files"]

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nnunet_slpt.datasets import Case
from nnunet_slpt.datasets.image_checks import image_files
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
GONE = "no label any more"


@dataclass(frozen=True)
class Agenda:
    """The work in one folder.

    Args:
        recipe: of the data.
        store: the folder and its records.
        kept: cases that are as they should be → their record, with the present times of the files.
        to_make: case → why.
        to_set_aside: cases that have no label.
    """

    recipe: Recipe
    store: Store
    kept: Mapping[str, Record]
    to_make: Mapping[str, str]
    to_set_aside: tuple[str, ...]

    def lines(self) -> list[str]:
        """It in words: a line with the numbers, and one for each reason."""
        reasons: dict[str, list[str]] = defaultdict(list)
        for case, reason in self.to_make.items():
            reasons[f"to preprocess, {reason}"].append(case)
        reasons[f"to take out, {GONE}"].extend(self.to_set_aside)
        return [
            f"{self.recipe.name} ({self.recipe.folder_name}): {len(self.kept)} case(s) up to date.",
            *(f"  {len(cases)} {reason}: {some(cases)}" for reason, cases in reasons.items() if cases),
        ]


def agenda_of(recipe: Recipe, cases: Sequence[Case], home: Path) -> Agenda:
    """Compare a folder with what should be in it.

    Args:
        recipe: of the data.
        cases: the labelled ones.
        home: the preprocessed dataset's folder.

    Raises:
        FileError: a file cannot be read.
    """
    store = Store(home, recipe.folder_name)
    found = {case.name: _look_at(case, recipe, store) for case in cases}
    return Agenda(
        recipe,
        store,
        kept={name: answer for name, answer in found.items() if isinstance(answer, Record)},
        to_make={name: answer for name, answer in found.items() if isinstance(answer, str)},
        to_set_aside=tuple(sorted(store.names() - found.keys())),
    )


def input_files(case: Case) -> dict[str, Path]:
    """What a case is made from: ``label`` and ``image_0``, ``image_1`` … → file."""
    images = {f"image_{number}": file for number, file in enumerate(image_files(case))}
    return {LABEL: case.label, **images}


def _look_at(case: Case, recipe: Recipe, store: Store) -> Record | str:
    """The record of a case that is as it should be, or why it has to be made."""
    record, files = store.read(case.name), store.files(case.name)
    if record is None:
        return UNKNOWN if files else NEW
    if record.recipe != recipe.key:
        return OTHER_RECIPE
    inputs = renewed(record.inputs, input_files(case))
    if inputs is None:
        label = record.inputs.get(LABEL)
        return OTHER_IMAGES if label and label.renewed(case.label) else OTHER_LABEL
    outputs = renewed(record.outputs, files)
    return OTHER_FILES if outputs is None else replace(record, inputs=inputs, outputs=outputs)
