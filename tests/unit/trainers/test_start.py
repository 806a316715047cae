"""Before the first epoch: settings of a continued run, and a refusal that takes back what was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import CheckpointError, ConfigError, DatasetError
from nnunet_slpt.pretrained import Pretrained
from nnunet_slpt.trainers.start import check_other_folds, check_same_settings, leaving_nothing_behind

DATASET: dict[str, Any] = {"labels": {"background": 0, "organ": 1}, "channel_names": {"0": "CT"}}


def checkpoint(**block: object) -> Pretrained:
    about = {"dataset_json": {}, "configuration": "", "trainer_name": ""}
    return Pretrained(path=Path("latest.pth"), weights={}, plans={"slpt": block} if block else {}, **about)


@pytest.fixture
def run(tmp_path: Path) -> list[Path]:
    """Fold, model and dataset folder of a run that has just begun, with its log."""
    folders = [tmp_path / "results/dataset/model/fold_0"]
    folders[0].mkdir(parents=True)
    (folders[0] / "log.txt").touch()
    return [*folders, *folders[0].parents[:2]]


def refuse(run: list[Path], error: Exception) -> None:
    with pytest.raises(type(error)), leaving_nothing_behind(str(run[0] / "log.txt"), run):
        raise error


def test_a_refusal_leaves_nothing(run: list[Path]) -> None:
    refuse(run, DatasetError("no"))
    assert not run[-1].exists()
    assert run[-1].parent.exists()


def test_what_was_there_before_stays(run: list[Path]) -> None:
    (run[1] / "fold_1").mkdir()
    refuse(run, DatasetError("no"))
    assert (run[1] / "fold_1").exists()
    assert not run[0].exists()


def test_after_an_accident_the_log_stays(run: list[Path]) -> None:
    refuse(run, MemoryError())
    assert (run[0] / "log.txt").exists()


def test_a_run_that_is_not_refused_keeps_its_log(run: list[Path]) -> None:
    with leaving_nothing_behind(str(run[0] / "log.txt"), run):
        pass
    assert (run[0] / "log.txt").exists()


def test_a_setting_that_a_checkpoint_did_not_know_was_as_by_default() -> None:
    block = PromptConfig().as_block()
    del block["mirror_axes"]
    check_same_settings(checkpoint(**block), PromptConfig())
    with pytest.raises(CheckpointError, match=r"mirror_axes: got \[\], expected None"):
        check_same_settings(checkpoint(**block), PromptConfig(mirror_axes=()))


def test_the_same_settings_pass() -> None:
    config = PromptConfig(prompts=4)
    check_same_settings(checkpoint(**config.as_block()), config)


def test_every_changed_setting_is_named() -> None:
    then = PromptConfig(prompts=4, seed=3).as_block()
    with pytest.raises(
        CheckpointError,
        match=r"seed: got 0, expected 3; prompts: got 3, expected 4.*anew, with neither --c nor --val",
    ):
        check_same_settings(checkpoint(**then), PromptConfig())


def test_epochs_and_the_place_of_the_base_may_change() -> None:
    then = PromptConfig(epochs=9, pretrained_checkpoint="elsewhere.pth").as_block()
    check_same_settings(checkpoint(**then), PromptConfig())


def test_a_checkpoint_that_tells_no_settings_passes() -> None:
    check_same_settings(checkpoint(), PromptConfig())


def test_a_checkpoint_of_another_revision_is_not_continued() -> None:
    then = PromptConfig().as_block()
    del then["revision"]  # as before there were any
    with pytest.raises(ConfigError, match=r"revision 1, expected 2"):
        check_same_settings(checkpoint(**then), PromptConfig())


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
