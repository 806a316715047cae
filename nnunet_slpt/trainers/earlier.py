"""What earlier trainings left in a model's folder: does this one fit, and what would it make useless?

Must not import the trainer.
"""

__all__ = ["check_ended_training", "check_other_folds", "set_aside_predictions"]

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from nnunet_slpt.config import PLANS_KEY, TrainingConfig
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.files import json_of, move
from nnunet_slpt.host_conventions import (
    BEST,
    FINAL,
    IMAGES_BY_CONFIGURATION,
    IMAGES_BY_PLANS,
    INTENSITIES,
    LATEST,
)
from nnunet_slpt.pretrained import Pretrained, read_checkpoint

# What nnU-Net predicts by, beside how it prepares an image: of a configuration, and of the dataset.
OF_CONFIGURATION = ("architecture", "patch_size", *IMAGES_BY_CONFIGURATION)
OF_DATASET = ("channel_names", "labels", "regions_class_order")
WITHOUT_INTENSITIES = {  # normalisations of nnU-Net that do not look at them
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
}
ASIDE = "validation_before"  # beside nnU-Net's folder of predictions


def check_other_folds(
    folder: Path,
    configuration: str,
    config: TrainingConfig,
    plans: Mapping[str, Any],
    dataset_json: Mapping[str, Any],
) -> None:
    """Refuse to train a fold that makes trained folds useless: those beside it, and its own until it ends.

    nnU-Net keeps one ``plans.json`` and one ``dataset.json`` for all folds of a model, those of the training
    that began last; by these it prepares images and builds the network for each of them.

    Args:
        folder: of the fold.
        configuration: its name in the plans.
        config: the settings of the fold.
        plans: its plans, the ``slpt`` block included.
        dataset_json: the dataset.

    Raises:
        CheckpointError: a trained fold is of another network, of other labels, or sees images otherwise.
    """
    others = {file.parent.name for file in folder.parent.glob("fold_*/checkpoint_*.pth")} - {folder.name}
    if (folder / FINAL).exists():
        others.add(folder.name)
    there = [json_of(folder.parent / name) for name in ("plans.json", "dataset.json")]
    if not others or None in there:
        return
    now, then = (
        _what_folds_share(configuration, config.of_network, *each) for each in ((plans, dataset_json), there)
    )
    changed = [f"{key}: got {now[key]}, there {then.get(key)}" for key in now if now[key] != then.get(key)]
    if changed:
        raise CheckpointError(
            f"{folder.parent} holds {', '.join(sorted(others))} of a model that this training does not fit, "
            f"and nnU-Net predicts with one network for all folds: {'; '.join(changed)}. Set these back, "
            "give the plans another name (nnUNetv2_train -p), or move the trained model to another place."
        )


def _what_folds_share(
    configuration: str,
    of_network: Iterable[str],
    plans: Mapping[str, Any],
    dataset_json: Mapping[str, Any],
) -> dict[str, str]:
    """By name, as text, because the order counts: that of the labels says which output is which region."""
    chosen = _inherited(plans["configurations"], configuration)
    normalised_by = {*(chosen.get("normalization_schemes") or [])}
    parts: list[tuple[Mapping[str, Any], Iterable[str]]] = [
        (plans.get(PLANS_KEY, {}), of_network),
        (plans, (*IMAGES_BY_PLANS, *((INTENSITIES,) if normalised_by - WITHOUT_INTENSITIES else ()))),
        (chosen, OF_CONFIGURATION),
        (dataset_json, OF_DATASET),
    ]
    return {key: json.dumps(part.get(key)) for part, keys in parts for key in keys}


def _inherited(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration with what it takes from others (nnU-Net's ``inherits_from``)."""
    own = configurations[name]
    parent = own.get("inherits_from")
    return {**(_inherited(configurations, parent) if parent else {}), **own}


def check_ended_training(checkpoint: Pretrained | None) -> None:
    """Refuse to continue a training that has ended while another one, begun since, has not.

    nnU-Net's ``--c`` takes ``checkpoint_final.pth`` if there is one. It would write it anew, as if it had
    learned from what came since, and remove ``checkpoint_latest.pth`` of the training that was stopped.

    Args:
        checkpoint: that is about to be continued, if any.

    Raises:
        CheckpointError: one beside it is of another training.
    """
    if checkpoint is None or checkpoint.path.name != FINAL:
        return
    for file in map(checkpoint.path.with_name, (LATEST, BEST)):
        if file.exists() and read_checkpoint(file).began != checkpoint.began:
            raise CheckpointError(
                f"{checkpoint.path} is of a training that ended, and {file.name} beside it of another one "
                f"that did not. Move {FINAL} to another place to continue the latter, or {file.name} to keep "
                "the former, and start again."
            )


def set_aside_predictions(validation: Path, cases: Collection[str], file_ending: str) -> str | None:
    """Move away predictions that an earlier training made of cases that are not validated on now.

    nnU-Net scores every file in that folder: those would count although another model made them, and one
    whose label was withdrawn stops the scoring.

    Args:
        validation: nnU-Net's folder of a fold's predictions; it may be missing.
        cases: identifiers of the cases that are about to be predicted.
        file_ending: of images.

    Returns:
        What was moved, to the folder ``validation_before`` beside it, for the log; ``None`` if nothing was.
    """
    endings = (file_ending, ".npz", ".pkl")
    kept = {f"{case}{ending}" for case in cases for ending in endings}
    stale = [file for file in validation.glob("*") if file.name.endswith(endings) and file.name not in kept]
    if not stale:
        return None
    aside = validation.with_name(ASIDE)
    aside.mkdir(exist_ok=True)
    for file in stale:
        move(file, aside / file.name)
    return f"Moved {len(stale)} files of cases that are not validated on now from {validation} to {aside}."
