"""Before the first epoch: settings of a continued run, and a refusal that takes back what was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import CheckpointError, ConfigError, DatasetError
from nnunet_slpt.pretrained import Pretrained
from nnunet_slpt.trainers.start import check_same_settings, leaving_nothing_behind


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
