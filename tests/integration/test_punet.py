"""PUNet's two trainers through nnU-Net's own commands: pretrain a body, tune tokens of new classes in it."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.model_sharing.model_export import export_pretrained_model
from tiny_punet import PRETRAINER, TUNER, model_of, pretrain, punet_plans, tune

from nnunet_slpt.config import PUNET_VARIANTS
from nnunet_slpt.datasets import NOT_ANNOTATED
from nnunet_slpt.errors import ArchitectureError, CheckpointError, ConfigError
from nnunet_slpt.networks.punet.network import trained_classes
from nnunet_slpt.trainers.punet import self_supervision


def test_a_body_is_pretrained_and_tokens_are_tuned_in_it(task: Any) -> None:
    pretrain(task, concurrent=["organ"]).perform_actual_validation()
    assert re.search(r"Mean cosine of two voxels' features: 0\.\d+", task.log())
    assert 2 not in task.predicted()  # the lesion, which nobody trained
    pretrained = task.checkpoint()
    assert pretrained["teacher_weights"]
    assert_exported(task)
    body = {name: tensor for name, tensor in pretrained["network_weights"].items() if "body." in name}
    tune(task, model_of(task))
    after = task.checkpoint()["network_weights"]
    assert all(torch.equal(after[name], tensor) for name, tensor in body.items())
    assert "1 of 2 classes start from the pretrained tokens" in task.log()
    assert (task.output() / "tokens_final.safetensors").is_file()
    assert task.predicted().shape == (20, 22, 24)
    written = json.loads((task.output().parent / "plans.json").read_text())["slpt"]
    assert written["classes"] == ["organ", "lesion"]


def assert_exported(task: Any) -> None:
    """By nnU-Net's own command, which wants a validation's summary."""
    (task.output() / "progress.png").touch()  # which tests do not draw
    archive, model = task.folder / "body.zip", task.output().parent
    trainer, plans, configuration = model.name.split("__")
    export_pretrained_model(model.parent.name, str(archive), (configuration,), trainer, plans, (0,))
    with zipfile.ZipFile(archive) as content:
        assert any(name.endswith("fold_0/checkpoint_final.pth") for name in content.namelist())


@pytest.fixture(scope="module")
def pretrained(template: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a short pretraining."""
    folder = tmp_path_factory.mktemp("punet") / "task"
    shutil.copytree(template.folder, folder)
    task = type(template)(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        pretrain(task.announce(monkeypatch))
    return model_of(task)


# Which tensors of the body each variant may change.
VARIANTS = {
    "tokens": lambda name: False,
    "head": lambda name: False,
    "decoder": lambda name: re.match(r"(upsamplings|convolutions\.[34]|attentions\.[6-9])\.", name),
    "bias_norm": lambda name: name.endswith((".bias", "norm.weight", ".all_modules.1.weight")),
    "adapter": lambda name: False,
    "full": lambda name: True,
}


@pytest.mark.parametrize("variant", PUNET_VARIANTS)
def test_a_variant_changes_what_it_is_named_after_and_predicts(
    task: Any, pretrained: Path, variant: str
) -> None:
    tune(task, pretrained, tuned=variant)
    before = torch.load(pretrained, weights_only=False)["network_weights"]
    after = task.checkpoint()["network_weights"]
    body = {name for name in after if name.startswith("body.")}
    changed = {name.removeprefix("body.") for name in body if not torch.equal(after[name], before[name])}
    assert all(VARIANTS[variant](name) for name in changed)
    assert bool(changed) == (variant in ("decoder", "bias_norm", "full"))
    assert any(name.startswith("adapters.") for name in after) == (variant == "adapter")
    assert any(".sites." in name for name in after) == (variant in ("tokens", "full"))
    assert (task.output() / "tokens_final.safetensors").exists() == (variant == "tokens")
    assert task.predicted().shape == (20, 22, 24)


@pytest.mark.parametrize(
    ("jointly", "passes"), [(False, [["organ"], ["lesion"]]), (True, [["organ", "lesion"]])]
)
def test_a_class_is_trained_by_itself_or_with_the_others(
    task: Any, pretrained: Path, jointly: bool, passes: list[list[str]]
) -> None:
    trainer = tune(task, pretrained, jointly=jointly)
    assert trainer.punet.groups == passes
    assert task.predicted().shape == (20, 22, 24)


def test_where_one_pass_serves_all_classes_each_has_the_loss_that_it_would_have_alone(
    task: Any, pretrained: Path
) -> None:
    task.trainer_name = TUNER
    punet_plans(task, tuned="head")
    trainer = task.trainer(pretrained=pretrained)
    trainer.on_train_start()
    assert trainer.punet.groups == [["organ", "lesion"]]
    batch = next(trainer.dataloader_train)
    with torch.no_grad():
        alone = [
            trainer.class_loss(
                trainer.network(batch["data"], [name]), trainer.classes.target(batch["target"], [name])
            )
            for name in ("organ", "lesion")
        ]
    assert float(trainer.train_step(batch)["loss"]) == pytest.approx(float(sum(alone)) / 2, rel=1e-4)


@pytest.mark.parametrize("stage", ["pretraining", "tuning"])
def test_a_run_continued_equals_one_never_stopped(task: Any, pretrained: Path, stage: str) -> None:
    weights = None if stage == "pretraining" else pretrained
    task.trainer_name = PRETRAINER if stage == "pretraining" else TUNER
    punet_plans(task, epochs=2)
    task.trainer(pretrained=weights).run_training()
    never_stopped = task.checkpoint()
    task.interrupt(task.trainer(pretrained=weights), before_epoch=1)
    (task.output() / "checkpoint_final.pth").unlink()
    continued = task.trainer(continued=True)
    continued.run_training()
    assert continued.current_epoch == 2
    after = task.checkpoint()
    for part in ("network_weights", *(["teacher_weights"] if stage == "pretraining" else [])):
        assert all(torch.equal(after[part][name], never_stopped[part][name]) for name in after[part])


def test_regions_with_an_ignore_label(task: Any, pretrained: Path) -> None:
    regions = {"background": 0, "whole": [1, 2], "lesion": 2, "ignore": 3}
    task.change_dataset(lambda about: about.update(labels=regions, regions_class_order=[1, 2]))
    task.preprocess(lambda labels: np.where(np.indices(labels.shape)[0] < 4, 3, labels))
    tune(task, pretrained)
    assert "1 of 2 classes start from the pretrained tokens" in task.log()
    written = json.loads((task.output().parent / "plans.json").read_text())["slpt"]
    assert (written["classes"], written["region_based"]) == (["whole", "lesion"], True)
    assert set(np.unique(task.predicted())) <= {0, 1, 2}


@pytest.mark.parametrize("labelled", [True, False])
def test_pretraining_on_regions(task: Any, labelled: bool) -> None:
    regions = {"background": 0, "whole": [1, 2], "lesion": 2}
    task.change_dataset(lambda about: about.update(labels=regions, regions_class_order=[1, 2]))
    task.preprocess(lambda labels: labels if labelled else np.full(labels.shape, NOT_ANNOTATED, np.int16))
    pretrain(task)
    assert (task.output() / "checkpoint_final.pth").is_file()
    (dice,) = re.findall(r"Pseudo dice \[(.*)\]", task.log())
    assert ("nan" in dice) != labelled
    if labelled:
        assert trained_classes(task.checkpoint()["network_weights"]) == ["whole", "lesion"]


@pytest.mark.parametrize(("allowed", "axes"), [(None, (0, 1, 2)), ([], ()), ([2], (2,))])
def test_the_students_view_is_flipped_as_the_training_may_mirror(
    task: Any, monkeypatch: pytest.MonkeyPatch, allowed: list[int] | None, axes: tuple[int, ...]
) -> None:
    flipped = []
    draw = self_supervision.student_view
    monkeypatch.setattr(
        self_supervision, "student_view", lambda *given: flipped.append(tuple(given[3])) or draw(*given)
    )
    pretrain(task, mirror_axes=allowed)
    assert set(flipped) == {axes}


def test_a_patch_of_one_prototype_is_refused_if_there_is_self_supervision(task: Any) -> None:
    task.trainer_name = PRETRAINER
    punet_plans(task)

    def shrink(plans: dict[str, Any]) -> None:
        plans["configurations"]["3d_fullres"]["patch_size"] = [8, 8, 8]

    task.change_plans(shrink)
    with pytest.raises(ConfigError, match="room for one prototype"):
        task.trainer().initialize()
    assert not list(task.results.glob("*/*"))
    punet_plans(task, weight_assignment=0)
    task.trainer().initialize()


def test_what_does_not_fit_is_refused_before_anything_is_written(task: Any, pretrained: Path) -> None:
    task.trainer_name = TUNER
    with pytest.raises(ArchitectureError, match=r"trains a PUNet, and the plans describe a PlainConvUNet"):
        task.trainer(pretrained=pretrained)
    punet_plans(task)
    with pytest.raises(CheckpointError, match="tunes a pretrained network and got none"):
        task.run()
    with pytest.raises(ArchitectureError, match="do not fit this network"):
        task.run(pretrained=task.pretrained)
    task.trainer_name = PRETRAINER
    with pytest.raises(CheckpointError, match="starts from random weights"):
        task.run(pretrained=pretrained)
    punet_plans(task, concurrent=["spleen"])
    with pytest.raises(ConfigError, match=r'"concurrent"\]: unknown label .spleen.; known: organ, lesion'):
        task.run()
    task.trainer_name = "nnUNetTrainerSLPT"
    punet_plans(task)
    with pytest.raises(ArchitectureError, match="nnUNetTrainerPUNet"):
        task.run(pretrained=pretrained)
    assert not list(task.results.glob("*/*"))
