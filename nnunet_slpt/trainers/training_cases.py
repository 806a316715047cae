"""The training cases as nnU-Net's loaders see them: are they fit for tuning, and where is their foreground?

Reads preprocessed data, writes nothing. Must not import the networks.
"""

__all__ = [
    "check_cases",
    "check_numbers",
    "foreground_frequency",
    "hidden_labels",
    "labels_left_out",
]

import filecmp
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from torch import Tensor

from nnunet_slpt.datasets import UNLABELLED, Case, dataset_folder, read_cases
from nnunet_slpt.datasets.folders import label_copy
from nnunet_slpt.errors import DatasetError, some
from nnunet_slpt.hidden_labels import hides_labels
from nnunet_slpt.host_conventions import FEWEST_CASES, SPLIT_FILE


def check_cases(training: nnUNetBaseDataset, validation: nnUNetBaseDataset, available: Sequence[str]) -> None:
    """Refuse cases from which nothing can be learned.

    Args:
        training: the training cases of the fold.
        validation: its validation cases.
        available: identifiers of all preprocessed cases.

    Raises:
        DatasetError: fewer than two training cases, no validation case, cases that are not preprocessed,
            cases without a label, or no foreground in any training case.
    """
    check_numbers(training, validation, available)
    unlabelled, foreground = [], False  # and no more: properties hold thousands of places for each class
    where = {case: dataset for dataset in (validation, training) for case in dataset.identifiers}
    for case, dataset in where.items():
        known = dataset.load_case(case)[3]
        if known.get(UNLABELLED):
            unlabelled.append(case)
        foreground |= dataset is training and _has_foreground(known)
    if unlabelled:
        raise DatasetError(
            f"{len(unlabelled)} of {len(where)} cases of this fold have no label: {some(unlabelled)}. "
            "They were preprocessed with --unlabelled, for -tr nnUNetTrainerPUNetPretrain. Run "
            "nnunet_slpt_preprocess without it, or leave them out of splits_final.json."
        )
    if not foreground:
        raise DatasetError(
            f"The labels of all {len(training.identifiers)} training cases are empty: background everywhere. "
            "Label some foreground, check the label values in dataset.json, and preprocess again."
        )


def check_numbers(
    training: nnUNetBaseDataset, validation: nnUNetBaseDataset, available: Sequence[str]
) -> None:
    """Refuse a fold that is too small, or not preprocessed.

    Args:
        training: the training cases of the fold.
        validation: its validation cases.
        available: identifiers of all preprocessed cases.

    Raises:
        DatasetError: fewer than two training cases, no validation case, or cases that are not preprocessed.
    """
    missing = sorted({*training.identifiers, *validation.identifiers} - set(available))
    if missing:
        raise DatasetError(
            f"{len(missing)} cases of this fold are not preprocessed: {some(missing)}. "
            f"{training.source_folder} holds {len(available)} cases. "
            f"{_remedy(missing, _raw_cases(Path(training.source_folder).parent.name))}"
        )
    different = len({*training.identifiers})
    if different < FEWEST_CASES:
        raise DatasetError(
            f"This fold has {different} training case(s), expected {FEWEST_CASES} or more. "
            "Label more cases, move some from 'val' to 'train' in splits_final.json, or train fold 'all'."
        )
    if not validation.identifiers:
        raise DatasetError(
            "This fold has 0 validation cases, expected 1 or more: nnU-Net validates after every epoch. "
            "Move a case from 'train' to 'val' in splits_final.json, or train fold 'all'."
        )


def foreground_frequency(
    dataset: nnUNetBaseDataset,
    patch_size: Sequence[int],
    labels: LabelManager,
    oversample_foreground: float,
    seed: int,
    patches: int = 100,
) -> Tensor:
    """How often each place of a training patch is foreground, over patches drawn as in training.

    Drawn by nnU-Net's own loader, without augmentation. The global random state is left as it was.

    Args:
        dataset: the training cases; no other case is looked at.
        patch_size: in voxels, one entry an axis.
        labels: tells the ignore label, whose voxels do not count. A place that is never annotated gets the
            frequency of all places.
        oversample_foreground: share of patches that are centred on foreground.
        seed: of the draw.
        patches: how many patches are averaged.

    Returns:
        (*patch_size), in [0, 1].

    References:
        SLPT (arXiv:2308.04911), section 2.2: the meta prompt starts from the foreground's probability map.
    """
    loader = nnUNetDataLoader(
        dataset,
        1,
        patch_size,
        patch_size,
        labels,
        oversample_foreground_percent=oversample_foreground,
        probabilistic_oversampling=True,
    )
    foreground, annotated = torch.zeros(2, *patch_size)
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        for _ in range(patches):
            target = loader.generate_train_batch()["target"][0, 0]
            counts = torch.ones_like(target, dtype=torch.bool)
            if labels.has_ignore_label:
                counts = target != labels.ignore_label
            foreground += (target > 0) & counts
            annotated += counts
    finally:
        np.random.set_state(state)
    everywhere = foreground.sum() / annotated.sum().clamp_min(1)
    return torch.where(annotated > 0, foreground / annotated.clamp_min(1), everywhere)


def _remedy(missing: Collection[str], cases: Collection[Case]) -> str:
    """What to do about cases that are not preprocessed: some may have no label yet, or be gone."""
    gone = sorted({*missing} - {case.name for case in cases}) if cases else []
    wait = sorted({case.name for case in cases if not case.labelled}.intersection(missing))
    if not gone and not wait:
        return f"Correct {SPLIT_FILE} or run nnunet_slpt_preprocess."
    parts = []
    if gone:
        parts.append(
            f"{len(gone)} are not in the dataset: {some(gone)}. Correct {SPLIT_FILE}; or, if they were taken "
            "away on purpose, choose again with nnunet_slpt_select --exclude, or train fold 'all'."
        )
    if wait:
        parts.append(
            f"{len(wait)} have no label yet: {some(wait)}. Label them (nnunet_slpt_collect takes labels in), "
            "run nnunet_slpt_preprocess; or train fold 'all', which takes every case that is preprocessed."
        )
    if labelled := len(missing) - len(gone) - len(wait):
        parts.append(f"{labelled} have a label: run nnunet_slpt_preprocess.")
    return " ".join(parts)


def labels_left_out(folder: Path, available: Collection[str], ending: str) -> str | None:
    """A warning of labels from which no training learns, since they came after the preprocessing.

    Args:
        folder: of the preprocessed dataset, named as it, with copies of the labels as they were then.
        available: identifiers of all preprocessed cases.
        ending: of the dataset's files.
    """
    cases, there = _raw_cases(folder.name), {*available}
    missing = sorted({case.name for case in cases if case.labelled} - there)
    changed = sorted(case.name for case in cases if case.name in there and _is_changed(case, folder, ending))
    told = [
        f"{len(names)} labelled case(s) {words}: {some(names)}."
        for names, words in (
            (missing, "are not preprocessed, so nothing is learned from them"),
            (changed, "were preprocessed with a label that has been changed or withdrawn since"),
        )
        if names
    ]
    if not told:
        return None
    return f"WARNING: {' '.join(told)} Run nnunet_slpt_preprocess -d {folder.name} and start again."


def _is_changed(case: Case, folder: Path, ending: str) -> bool:
    """Whether a label is another one than nnU-Net validates with."""
    seen = label_copy(folder, case.name, ending)
    if not seen.is_file():  # preprocessed without a label, or the data came ready-made
        return False
    return not case.labelled or not filecmp.cmp(case.label, seen)  # asks size and time first


def hidden_labels(fold: int | str, folder: Path) -> str | None:
    """The warning that fold ``all`` trains on what a campaign has not paid for; ``None`` if it does not.

    Args:
        fold: a number or ``all``.
        folder: of the preprocessed dataset.
    """
    if fold != "all" or not hides_labels(folder):
        return None
    return (
        "WARNING: fold all trains on every label that there is, on those too that the rounds of this dataset "
        "hide (--hide_labels). Train a fold with a number: it has the labels that were chosen."
    )


def _raw_cases(dataset: str) -> list[Case]:
    """None where the raw data is not at hand."""
    with suppress(DatasetError):
        return read_cases(dataset_folder(dataset), hide_labels=False)
    return []


def _has_foreground(properties: dict[str, Any]) -> bool:
    # nnU-Net's DefaultPreprocessor notes voxels of every label; with an ignore label also of all labels at
    # once, under a tuple that starts with -1 and that background alone can fill.
    locations = properties.get("class_locations") or {}
    return any(
        len(voxels) > 0 for key, voxels in locations.items() if not (isinstance(key, tuple) and -1 in key)
    )
