"""``--c``, ``--val``, ``--val_best``, ``--disable_checkpointing``, fold ``all``."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import SimpleITK
import torch

from nnunet_slpt.errors import CheckpointError, ConfigError, FileError


def voxels(file: Path) -> Any:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))


def equal(one: Any, other: Any) -> bool:
    """Bit for bit, also inside dictionaries and lists."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


@pytest.fixture
def finished(tuned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the tuned task, which a test may change."""
    shutil.copytree(tuned.folder, tmp_path / "finished")
    return type(tuned)(tmp_path / "finished").announce(monkeypatch)


def test_a_run_stopped_and_continued_equals_one_never_stopped(
    task: Any, tuned: Any, monkeypatch: Any
) -> None:
    task.announce(monkeypatch)
    task.interrupt(task.trainer(pretrained=task.pretrained), before_epoch=1)
    assert not (task.output() / "checkpoint_final.pth").exists()
    task.trainer(continued=True).run_training()
    continued, never_stopped = task.checkpoint(), tuned.checkpoint()
    for part in ("network_weights", "optimizer_state"):
        assert equal(continued[part], never_stopped[part]), part
    for log in ("train_losses", "val_losses", "mean_fg_dice", "lrs"):
        assert equal(continued["logging"][log], never_stopped["logging"][log]), log


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_checkpoint_cut_off_in_writing_leaves_the_one_before(
    finished: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    trainer = finished.trainer(continued=True)
    trainer.on_train_start()
    file, save = finished.output() / "checkpoint_final.pth", torch.save
    before, names = file.read_bytes(), sorted(finished.output().iterdir())

    def half(content: Any, target: Any) -> None:
        save(content, target)
        Path(target).write_bytes(Path(target).read_bytes()[:1000])
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(type(error) if isinstance(error, KeyboardInterrupt) else FileError):
        trainer.save_checkpoint(str(file))
    assert file.read_bytes() == before
    assert sorted(finished.output().iterdir()) == names


def test_what_a_killed_run_left_of_a_checkpoint_is_removed(finished: Any) -> None:
    trainer = finished.trainer(continued=True)
    trainer.on_train_start()
    left = finished.output() / ".checkpoint_final.pth.12345.part"
    left.write_bytes(b"half of it")
    trainer.save_checkpoint(str(finished.output() / "checkpoint_final.pth"))
    assert not left.exists()
    assert finished.checkpoint()["network_weights"]


def test_continuing_needs_no_pretrained_file(task: Any) -> None:
    task.interrupt(task.trainer(pretrained=task.pretrained), before_epoch=1)
    task.pretrained.unlink()
    task.trainer(continued=True).on_train_start()
    assert "-pretrained_weights" not in task.log()


def test_a_continued_run_still_tells_where_it_came_from(task: Any) -> None:
    task.set_block(pretrained_checkpoint="/models/planned.pth", pretrained_sha256="00")
    task.interrupt(task.trainer(pretrained=task.pretrained), before_epoch=1)
    task.trainer(continued=True).run_training()
    for block in (
        json.loads((task.output().parent / "plans.json").read_text())["slpt"],
        task.checkpoint()["init_args"]["plans"]["slpt"],
    ):
        assert (block["pretrained_checkpoint"], block["pretrained_sha256"]) == (str(task.pretrained), None)


def test_of_a_batch_of_one_some_are_centered_on_foreground(task: Any) -> None:
    task.change_plans(lambda plans: plans["configurations"]["3d_fullres"].update(batch_size=1))
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.on_train_start()
    loader = trainer.dataloader_train.data_loader
    drawn = [loader.get_do_oversample(0) for _ in range(60)]
    assert 0 < sum(drawn) < 60


def test_a_finished_run_that_is_continued_says_that_nothing_is_trained(finished: Any) -> None:
    before = finished.checkpoint()["network_weights"]
    finished.trainer(continued=True).run_training()
    assert "this training has ended already" in finished.log()
    assert equal(finished.checkpoint()["network_weights"], before)


def test_a_finished_run_can_be_made_longer(finished: Any) -> None:
    finished.set_block(epochs=3)
    trainer = finished.trainer(continued=True)
    trainer.run_training()
    assert trainer.current_epoch == 3
    assert len(finished.checkpoint()["logging"]["train_losses"]) == 3


@pytest.mark.parametrize(
    ("setting", "value", "then"),
    [("prompts", 3, 2), ("width", 5, 4), ("optimizer", "SGD", "'AdamW'"), ("learning_rate", 0.5, 0.003)],
)
def test_other_settings_are_refused(finished: Any, setting: str, value: object, then: object) -> None:
    before = sorted(finished.results.rglob("*"))
    finished.set_block(**{setting: value})
    with pytest.raises(CheckpointError, match=rf"{setting}: got {value!r}, expected {then}.*train anew"):
        finished.run(continue_training=True)
    assert sorted(finished.results.rglob("*")) == before


def test_a_fold_of_another_network_leaves_the_other_folds_as_they_were(finished: Any) -> None:
    def files() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in finished.results.rglob("*") if file.is_file()}

    before = files()
    finished.set_block(prompts=1)
    with pytest.raises(CheckpointError, match=r"holds fold_0 .*prompts: got 1, there 2"):
        finished.run(fold=1, pretrained=finished.pretrained)
    assert files() == before


def test_a_model_from_before_there_were_revisions_predicts_nothing(finished: Any) -> None:
    file = finished.output().parent / "plans.json"
    plans = json.loads(file.read_text())
    del plans["slpt"]["revision"]
    file.write_text(json.dumps(plans))
    with pytest.raises(ConfigError, match="revision 1, expected 2"):
        finished.predicted()


def test_a_checkpoint_cut_short_is_refused(finished: Any) -> None:
    file = finished.output() / "checkpoint_final.pth"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"checkpoint_final\.pth .*1000 bytes.*cannot be read"):
        finished.run(continue_training=True)


def test_another_network_in_the_plans_is_refused(finished: Any) -> None:
    def widen(plans: dict[str, Any]) -> None:
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        architecture["arch_kwargs"]["features_per_stage"] = [4, 8, 12]

    finished.change_plans(widen)
    with pytest.raises(CheckpointError, match=r"size mismatch .*train anew"):
        finished.run(continue_training=True)


def test_validation_alone_gives_what_the_run_gave(finished: Any) -> None:
    predicted = finished.output() / "validation/case_4.nii.gz"
    before = voxels(predicted)
    shutil.rmtree(predicted.parent)
    finished.run(only_run_validation=True)
    assert (voxels(predicted) == before).all()
    assert (before > 0).any()


def test_validation_scores_no_prediction_of_another_split(finished: Any) -> None:
    """As is left of a round before, or of a label that was withdrawn, which nnU-Net could not score."""
    folder = finished.output() / "validation"
    shutil.copy(folder / "case_4.nii.gz", folder / "withdrawn.nii.gz")
    finished.run(only_run_validation=True)
    scored = json.loads((folder / "summary.json").read_text())["metric_per_case"]
    assert {Path(one["prediction_file"]).name for one in scored} == {"case_4.nii.gz", "case_5.nii.gz"}
    assert (folder.parent / "validation_before/withdrawn.nii.gz").exists()


def test_a_training_that_was_stopped_is_not_lost_to_one_that_ended_before(finished: Any) -> None:
    latest = finished.checkpoint()
    latest["logging"]["epoch_start_timestamps"][0] += 3600
    torch.save(latest, finished.output() / "checkpoint_latest.pth")
    with pytest.raises(CheckpointError, match=r"checkpoint_final\.pth is of a training that ended"):
        finished.run(continue_training=True)
    assert (finished.output() / "checkpoint_latest.pth").exists()
    finished.run(only_run_validation=True)


def test_validation_of_the_best_checkpoint_reads_that_one(finished: Any) -> None:
    best = finished.checkpoint("checkpoint_best.pth")
    for name, tensor in best["network_weights"].items():
        if name.startswith("heads.biases"):
            tensor[:, 0] = 1e3  # background everywhere
    torch.save(best, finished.output() / "checkpoint_best.pth")
    finished.run(only_run_validation=True, val_with_best=True)
    assert not voxels(finished.output() / "validation/case_4.nii.gz").any()


def test_without_checkpointing_there_are_no_weights(task: Any) -> None:
    task.set_block(epochs=1)
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.disable_checkpointing = True
    trainer.run_training()
    written = {file.suffix for file in task.output().iterdir()}
    assert ".txt" in written
    assert not written & {".pth", ".safetensors"}


def test_fold_all_trains_on_every_case(task: Any) -> None:
    task.set_block(epochs=1)
    task.splits_file.unlink()
    (task.splits_file.parent / "slpt_selection").mkdir()
    (task.splits_file.parent / "slpt_selection/round_00.json").write_text('{"mode": "hide_labels"}')
    trainer = task.trainer(fold="all", pretrained=task.pretrained)
    trainer.run_training()
    assert "WARNING: fold all trains on every label that there is" in Path(trainer.log_file).read_text()
    training, validation = trainer.get_tr_and_val_datasets()
    assert len(training.identifiers) == len(validation.identifiers) == 6
    assert (task.output(fold="all") / "prompts_final.safetensors").exists()
