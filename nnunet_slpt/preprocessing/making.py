"""Preprocess one case with nnU-Net's own preprocessor, into a folder of its own.

Must not touch the preprocessed dataset: what is made here is published by who holds its lock.
"""

__all__ = ["Task", "make"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.preprocessing.agenda import input_files
from nnunet_slpt.preprocessing.recipe import Recipe
from nnunet_slpt.preprocessing.stamps import Stamp
from nnunet_slpt.preprocessing.without_label import without_label


@dataclass(frozen=True)
class Task:
    """What is to be made.

    Args:
        case: which; if nobody has labelled it, it is made without a label.
        recipe: how.
        place: folder for this case's files, on the disk of the preprocessed dataset; made here.
        verbose: let nnU-Net print what it does.
    """

    case: Case
    recipe: Recipe
    place: Path
    verbose: bool


def make(task: Task) -> Mapping[str, Stamp]:
    """Write a case's preprocessed files into ``task.place``.

    Args:
        task: what to make.

    Returns:
        Stamps of what it was made from.

    Raises:
        DatasetError: nnU-Net cannot preprocess it.
        FileError: an image or the label is gone.
    """
    case, recipe = task.case, task.recipe
    # Before they are read: what changes from here on is noticed by the next run.
    inputs = {name: Stamp.of(file) for name, file in input_files(case).items()}
    preprocessor = recipe.configuration.preprocessor_class
    if not case.labelled:
        preprocessor = without_label(preprocessor)
    try:
        task.place.mkdir()
        preprocessor(verbose=task.verbose).run_case_save(
            str(task.place / case.name),
            [str(file) for file in case.images],
            str(case.label) if case.labelled else None,
            recipe.plans,
            recipe.configuration,
            recipe.dataset_json,
        )
    except Exception as error:
        raise DatasetError(
            f"nnU-Net's preprocessor failed for {case.name} ({recipe.name}): {error!r}. Look at the case and "
            "at the room on the disk, then start again; what is done stays done."
        ) from error
    return inputs
