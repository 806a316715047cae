"""PUNet's two trainers on the tiny task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PRETRAINER, TUNER = "nnUNetTrainerPUNetPretrain", "nnUNetTrainerPUNet"
SHORT = {"epochs": 1, "iterations_per_epoch": 2, "validation_iterations_per_epoch": 1}


def punet_plans(task: Any, **block: Any) -> None:
    """Let the tiny task's plans describe a PUNet."""

    def change(plans: dict[str, Any]) -> None:
        network = plans["configurations"]["3d_fullres"]["architecture"]
        old = network["arch_kwargs"]
        network["network_class_name"] = "nnunet_slpt.networks.punet.PUNet"
        network["arch_kwargs"] = {
            "features_per_stage": [4 * 2**stage for stage in range(len(old["strides"]))],
            "kernel_sizes": old["kernel_sizes"],
            "strides": old["strides"],
            "tokens": 4,
        }
        network["_kw_requires_import"] = []
        plans["slpt"] = SHORT | block

    task.change_plans(change)


def pretrain(task: Any, **block: Any) -> Any:
    task.trainer_name = PRETRAINER
    punet_plans(task, **block)
    trainer = task.trainer()
    trainer.run_training()
    return trainer


def model_of(task: Any) -> Path:
    path: Path = task.output() / "checkpoint_final.pth"
    return path


def tune(task: Any, pretrained: Path, **block: Any) -> Any:
    task.trainer_name = TUNER
    punet_plans(task, **block)
    trainer = task.trainer(pretrained=pretrained)
    trainer.run_training()
    return trainer
