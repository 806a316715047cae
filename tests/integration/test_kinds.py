"""Other networks, labels and checkpoints: each trains and validates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch


def tune(task: Any, **options: Any) -> Any:
    """One epoch."""
    task.set_block(epochs=1)
    trainer = task.trainer(pretrained=task.pretrained, **options)
    trainer.run_training()
    return trainer


def heads_named_like_pretrained(task: Any) -> str:
    line = next(line for line in task.log().splitlines() if "outputs start from" in line)
    return line.split(" %. ")[1].split(" outputs")[0]


def test_a_2d_configuration(task: Any) -> None:
    task.write_pretrained("2d")
    tune(task, configuration="2d")
    assert task.predicted("2d").shape == (20, 22, 24)


def test_a_residual_encoder(task: Any) -> None:
    def change(plans: dict[str, Any]) -> None:
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        name = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
        architecture["network_class_name"] = name
        settings = architecture["arch_kwargs"]
        settings["n_blocks_per_stage"] = settings.pop("n_conv_per_stage")

    task.change_plans(change)
    task.write_pretrained()
    trainer = tune(task)
    assert trainer.prompted.encoder.stem is not None
    assert task.predicted().shape == (20, 22, 24)


def test_regions(task: Any) -> None:
    regions = {"background": 0, "whole": [1, 2], "lesion": 2}
    task.change_dataset(lambda dataset: dataset.update(labels=regions, regions_class_order=[1, 2]))
    task.preprocess()
    trainer = tune(task)
    trainer.perform_actual_validation()
    summary = json.loads((task.output() / "validation/summary.json").read_text())
    assert trainer.prompted.region_based
    assert summary["mean"].keys() == {"(1, 2)", "2"}
    assert json.loads((task.output().parent / "plans.json").read_text())["slpt"]["region_based"]


def test_regions_that_are_predicted_come_in_their_order(task: Any) -> None:
    regions = {"background": 0, "whole": [1, 2], "lesion": 2}
    task.change_dataset(lambda dataset: dataset.update(labels=regions, regions_class_order=[1, 2]))
    trainer = tune(task)
    heads = trainer.prompted.heads
    with torch.no_grad():
        heads.biases[-1].copy_(torch.tensor([1e3, -1e3]))  # the whole, but no lesion
    trainer.save_checkpoint(str(task.output() / "checkpoint_final.pth"))
    assert np.unique(task.predicted()).tolist() == [1]


def test_an_ignore_label(task: Any) -> None:
    labels = {"background": 0, "organ": 1, "ignore": 2}
    task.change_dataset(lambda dataset: dataset.update(labels=labels))
    task.preprocess()
    trainer = tune(task)
    assert trainer.prompted.heads.classes == 2
    assert set(np.unique(task.predicted())) <= {0, 1}
    assert heads_named_like_pretrained(task) == "2 of 2"


def test_the_voxels_to_ignore_do_not_change_the_loss(task: Any) -> None:
    labels = {"background": 0, "organ": 1, "ignore": 2}
    task.change_dataset(lambda dataset: dataset.update(labels=labels))
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.initialize()
    logits = [torch.randn(1, 2, size, size, size) for size in (16, 8)]
    target = [torch.randint(0, 3, (1, 1, size, size, size)) for size in (16, 8)]
    changed = [level + 9.0 * (label == 2) for level, label in zip(logits, target, strict=True)]
    for loss in trainer.prompt_losses:
        assert torch.equal(loss(logits, target), loss(changed, target))


@pytest.fixture
def from_wrapped_gpu_run(task: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pretrained checkpoint as of another program's DDP run on a GPU: ``module.`` and CUDA storages."""
    content = torch.load(task.pretrained, weights_only=False)
    weights = content["network_weights"]
    content["network_weights"] = {f"module.{name}": tensor for name, tensor in weights.items()}
    content["optimizer_state"] = {}
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(content, task.pretrained)
    pretrained: Path = task.pretrained
    return pretrained


def test_a_wrapped_checkpoint_from_a_gpu(
    task: Any, tuned: Any, monkeypatch: Any, from_wrapped_gpu_run: Path
) -> None:
    task.announce(monkeypatch)
    trainer = task.trainer(pretrained=from_wrapped_gpu_run)
    trainer.on_train_start()
    trained = tuned.checkpoint()["network_weights"]
    assert all(torch.equal(tensor, trained[name]) for name, tensor in trainer.prompted.frozen_state().items())


def test_the_checkpoint_recorded_in_the_plans_is_used(task: Any) -> None:
    task.set_block(pretrained_checkpoint=str(task.pretrained))
    task.trainer().on_train_start()
    assert f"Prompts inside {task.pretrained} " in task.log()
