"""A training in a folder in which others were before: what it would make useless, and what they left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.pretrained import read_checkpoint
from nnunet_slpt.trainers.earlier import check_ended_training, check_other_folds, set_aside_predictions

DATASET: dict[str, Any] = {"labels": {"background": 0, "organ": 1}, "channel_names": {"0": "CT"}}


def plans_of(config: PromptConfig, **configuration: Any) -> dict[str, Any]:
    return {"slpt": config.as_block(), "configurations": {"2d": {"batch_size": 2, **configuration}}}


def model(folder: Path, config: PromptConfig, **configuration: Any) -> Path:
    """Of a model with a trained fold 1, where fold 0 is going to be."""
    (folder / "fold_1").mkdir()
    (folder / "fold_1" / "checkpoint_final.pth").touch()
    (folder / "plans.json").write_text(json.dumps(plans_of(config, **configuration)))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    return folder / "fold_0"


def test_a_fold_of_the_same_network_may_be_trained_in_another_way(tmp_path: Path) -> None:
    fold = model(tmp_path, PromptConfig(epochs=3, seed=1), batch_size=4)
    config = PromptConfig(weight_diversity=0)
    check_other_folds(fold, "2d", config, plans_of(config), DATASET)


@pytest.mark.parametrize(
    ("config", "configuration", "labels", "words"),
    [
        (PromptConfig(prompts=2), {}, None, "prompts: got 2, there 3"),
        (PromptConfig(), {"patch_size": [8, 8]}, None, r"patch_size: got \[8, 8\], there null"),
        (PromptConfig(), {}, {"organ": 1, "background": 0}, "labels: got .*, there "),
    ],
)
def test_a_fold_beside_which_others_would_be_of_no_use_is_refused(
    tmp_path: Path, config: PromptConfig, configuration: dict[str, Any], labels: Any, words: str
) -> None:
    fold, plans = model(tmp_path, PromptConfig()), plans_of(config, **configuration)
    dataset = DATASET | ({"labels": labels} if labels else {})
    with pytest.raises(CheckpointError, match=f"fold_1 .*{words}.*another name"):
        check_other_folds(fold, "2d", config, plans, dataset)
    (tmp_path / "fold_1").rename(fold)  # what a training begun anew would make useless until it ends
    with pytest.raises(CheckpointError, match="fold_0 of a model"):
        check_other_folds(fold, "2d", config, plans, dataset)
    (fold / "checkpoint_final.pth").rename(fold / "checkpoint_latest.pth")  # it never ended
    check_other_folds(fold, "2d", config, plans, dataset)


INTENSITIES = "foreground_intensity_properties_per_channel"
CT, MR = (["CTNormalization"], ["ZScoreNormalization"])


@pytest.mark.parametrize(
    ("schemes", "key", "there", "now"),
    [
        (CT, INTENSITIES, {"0": {"mean": 80}}, {"0": {"mean": -600}}),
        (["OwnNormalization"], INTENSITIES, {"0": {"mean": 80}}, {"0": {"mean": -600}}),
        (MR, "transpose_forward", [0, 1, 2], [2, 1, 0]),
        (MR, "image_reader_writer", "SimpleITKIO", "NibabelIOWithReorient"),
    ],
)
def test_a_fold_for_which_others_would_see_images_otherwise_is_refused(
    tmp_path: Path, schemes: list[str], key: str, there: Any, now: Any
) -> None:
    fold = model(tmp_path, config := PromptConfig(), normalization_schemes=schemes)
    plans = plans_of(config, normalization_schemes=schemes)
    (tmp_path / "plans.json").write_text(json.dumps(plans | {key: there}))
    check_other_folds(fold, "2d", config, plans | {key: there}, DATASET)
    with pytest.raises(CheckpointError, match=f"{key}: got"):
        check_other_folds(fold, "2d", config, plans | {key: now}, DATASET)


def test_what_a_configuration_inherits_counts(tmp_path: Path) -> None:
    config = PromptConfig()

    def plans(patch: int) -> dict[str, Any]:
        parent = {"patch_size": [patch, patch], "normalization_schemes": MR}
        child = {"inherits_from": "2d", "batch_size": 4}
        return {"slpt": config.as_block(), "configurations": {"2d": parent, "larger": child}}

    fold = model(tmp_path, config)
    (tmp_path / "plans.json").write_text(json.dumps(plans(16)))
    check_other_folds(fold, "larger", config, plans(16), DATASET)
    with pytest.raises(CheckpointError, match=r"patch_size: got \[8, 8\], there \[16, 16\]"):
        check_other_folds(fold, "larger", config, plans(8), DATASET)


def test_intensities_that_no_normalisation_looks_at_may_change(tmp_path: Path) -> None:
    """As they do with every label that comes in, where nnU-Net's own planner made the plans."""
    fold = model(tmp_path, config := PromptConfig(), normalization_schemes=MR)
    (tmp_path / "plans.json").write_text(
        json.dumps(plans_of(config, normalization_schemes=MR) | {INTENSITIES: {"0": {"mean": 1}}})
    )
    plans = plans_of(config, normalization_schemes=MR) | {INTENSITIES: {"0": {"mean": 2}}}
    check_other_folds(fold, "2d", config, plans, DATASET)


def checkpoint(file: Path, *starts: float) -> Path:
    """As nnU-Net writes it, with the starts of its epochs."""
    content = {
        "network_weights": {"weight": torch.zeros(1)},
        "logging": {"epoch_start_timestamps": [*starts]},
    }
    torch.save(content, file)
    return file


@pytest.mark.parametrize("name", ["checkpoint_latest.pth", "checkpoint_best.pth"])
def test_a_training_that_ended_before_another_began_is_not_continued(tmp_path: Path, name: str) -> None:
    ended = checkpoint(tmp_path / "checkpoint_final.pth", 1.5, 2)
    unfinished = checkpoint(tmp_path / name, 7.5, 8, 9)
    with pytest.raises(CheckpointError, match=f"Move checkpoint_final.pth .*or {name} to keep"):
        check_ended_training(read_checkpoint(ended))
    check_ended_training(read_checkpoint(unfinished))  # which nnU-Net takes once the other is gone
    checkpoint(unfinished, 1.5)
    check_ended_training(read_checkpoint(ended))
    unfinished.unlink()
    check_ended_training(read_checkpoint(ended))


def test_a_new_training_continues_nothing() -> None:
    check_ended_training(None)


def test_what_was_predicted_of_other_cases_is_moved_away(tmp_path: Path) -> None:
    validation = tmp_path / "validation"
    assert set_aside_predictions(validation, ["a"], ".nii.gz") is None
    validation.mkdir()
    for name in ("a.nii.gz", "a.npz", "b.nii.gz", "b.npz", "b.pkl", "summary.json"):
        (validation / name).write_text(name)
    told = set_aside_predictions(validation, ["a"], ".nii.gz")
    assert told is not None
    assert "Moved 3 files" in told
    assert {file.name for file in validation.iterdir()} == {"a.nii.gz", "a.npz", "summary.json"}
    assert (tmp_path / "validation_before" / "b.nii.gz").read_text() == "b.nii.gz"
    (validation / "b.nii.gz").write_text("later")
    set_aside_predictions(validation, ["a"], ".nii.gz")
    assert (tmp_path / "validation_before" / "b.nii.gz").read_text() == "later"
    assert set_aside_predictions(validation, ["a"], ".nii.gz") is None
