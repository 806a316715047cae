"""What has to lie in a preprocessed dataset's folder before nnU-Net trains on it.

Reads names and the split file, writes nothing. Must not import torch.
"""

__all__ = ["check_folder", "check_preprocessed"]

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import DatasetError
from nnunet_slpt.files import json_of
from nnunet_slpt.hidden_labels import mode_of_rounds
from nnunet_slpt.host_conventions import FEWEST_CASES, FINGERPRINT_FILE, HOST_FOLDS, SPLIT_FILE


def check_preprocessed(folder: Path) -> None:
    """Refuse a dataset that is not preprocessed with the plans of the training.

    Args:
        folder: of the preprocessed cases, ``PLANS_CONFIGURATION`` in the preprocessed dataset's folder.

    Raises:
        DatasetError: it is missing or empty.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise DatasetError(
            f"There are no preprocessed cases in {folder}. Run nnunet_slpt_preprocess -d "
            f"{folder.parent.name} -p PLANS, with the plans of this training, and start again."
        )


def check_folder(fold: int | str, folder: Path, available: Sequence[str]) -> None:
    """Refuse a preprocessed dataset that nnU-Net would stumble over, some of it only after hours.

    Args:
        fold: a number or ``all``.
        folder: of the preprocessed dataset, where ``splits_final.json`` may lie.
        available: identifiers of all preprocessed cases.

    Raises:
        DatasetError: there is no fingerprint; fewer cases than can be tuned on; a split file that is none;
            no split, and fewer cases than nnU-Net makes folds; or a fold that the split of chosen cases does
            not have, or has lost.
    """
    fingerprint = folder / FINGERPRINT_FILE
    if not fingerprint.is_file():
        raise DatasetError(
            f"There is no {fingerprint}, which nnU-Net copies beside the model. Run nnunet_slpt_preprocess "
            f"-d {folder.name} -p PLANS, or nnUNetv2_extract_fingerprint -d NUMBER, or copy the file if the "
            "data comes ready-made."
        )
    file = folder / SPLIT_FILE
    split = _folds(file) if fold != "all" and file.is_file() else None
    if fold != "all" and mode_of_rounds(folder) is not None:
        _check_fold_number(int(fold), file, split)
    if split is None and len(available) < FEWEST_CASES:
        raise DatasetError(
            f"{folder} has {len(available)} preprocessed case(s), expected {FEWEST_CASES} or more for any "
            "fold. Label more cases, which nnunet_slpt_select chooses, and run nnunet_slpt_preprocess."
        )
    if split is None and fold != "all" and len(available) < HOST_FOLDS:
        raise DatasetError(
            f"{folder} has {len(available)} preprocessed cases, too few for nnU-Net's {HOST_FOLDS} folds. "
            f'Train fold \'all\', or write {file}: [{{"train": [identifiers], "val": [identifiers]}}]'
        )


def _folds(file: Path) -> list[dict[str, Any]]:
    folds = json_of(file)
    good = isinstance(folds, list) and all(
        isinstance(fold, dict) and {"train", "val"} <= fold.keys() for fold in folds
    )
    if not good:
        raise DatasetError(
            f'{file} is no split file, expected nnU-Net\'s: [{{"train": [identifiers], "val": '
            "[identifiers]}, …]. Correct it, or move it away: nnunet_slpt_select and nnU-Net write it anew."
        )
    return list(folds)


def _check_fold_number(fold: int, file: Path, folds: Sequence[dict[str, Any]] | None) -> None:
    if folds is None:
        raise DatasetError(
            f"{file} is missing, which nnunet_slpt_select wrote. nnU-Net would make folds of all "
            "preprocessed cases, of those too that validate or whose labels are hidden. Put it back, or "
            "choose again: it is written anew."
        )
    if fold >= len(folds):
        raise DatasetError(
            f"{file} has {len(folds)} fold(s), {len(folds) - 1} is the last one: got fold {fold}. nnU-Net "
            "would train it on a random part of all preprocessed cases, of those too that validate or whose "
            "labels are hidden."
        )
