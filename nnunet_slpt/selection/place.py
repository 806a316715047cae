"""Where nnU-Net puts the model that the selection looks with: its folder, its folds and their checkpoints."""

__all__ = ["USUAL", "find_checkpoints", "find_model_folder"]

import os
from collections.abc import Sequence
from glob import escape
from pathlib import Path

from nnunetv2.utilities.file_path_utilities import get_output_folder

from nnunet_slpt.errors import CheckpointError, SelectionError

USUAL = "3d_fullres"  # configuration


def find_model_folder(dataset: str, trainer: str, plans: str, configuration: str | None) -> Path:
    """Where nnU-Net puts the model of these names, in ``nnUNet_results``.

    Args:
        dataset: name or number.
        trainer: that tuned it.
        plans: their name.
        configuration: ``None`` takes ``USUAL``, or the only one that there is.

    Raises:
        SelectionError: ``nnUNet_results`` is not set.
    """
    if "nnUNet_results" not in os.environ:
        raise SelectionError(
            "nnUNet_results is not set, so there is no place to look for the model. Set it, or pass -m."
        )
    folder = Path(get_output_folder(dataset, trainer, plans, configuration or USUAL))
    if configuration is None and not folder.exists():
        others = [*folder.parent.glob(f"{escape(folder.name.removesuffix(USUAL))}*")]
        return others[0] if len(others) == 1 else folder
    return folder


def find_checkpoints(folder: Path, folds: Sequence[str] | None, checkpoint: str) -> tuple[Path, ...]:
    """The checkpoints that ``nnUNetv2_predict`` would load, one a fold.

    Args:
        folder: of the model.
        folds: numbers or ``all``; ``None`` takes all that are there.
        checkpoint: file name inside each fold's folder.

    Raises:
        CheckpointError: the folder is no model, or a fold or its checkpoint is missing.
    """
    missing = [name for name in ("plans.json", "dataset.json") if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} is no model folder of nnU-Net: {' and '.join(missing)} missing. Expected a folder "
            f"such as nnUNet_results/DATASET/TRAINER__PLANS__CONFIGURATION; pass it with -m.{_beside(folder)}"
        )
    there = sorted(file.parent.name.removeprefix("fold_") for file in folder.glob(f"fold_*/{checkpoint}"))
    # As nnU-Net: a model of all cases is only taken if asked for, or if there is nothing else.
    wanted = list(folds) if folds else [fold for fold in there if fold != "all"] or there
    absent = [fold for fold in wanted if fold not in there]
    if absent or not wanted:
        raise CheckpointError(
            f"{folder} has no {checkpoint} of fold {', '.join(absent) or '(any)'}; it has folds "
            f"{', '.join(there) or 'none'}. Choose with -f and -chk, or finish the training."
        )
    return tuple(folder / f"fold_{fold}" / checkpoint for fold in wanted)


def _beside(folder: Path) -> str:
    """The models that lie where one was looked for, for a message."""
    others = sorted(plans.parent.name for plans in folder.parent.glob("*__*__*/plans.json"))
    return f" There is {', '.join(others)}: name one with -tr, -p and -c." if others else ""
