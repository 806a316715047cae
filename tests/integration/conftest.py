"""A task so small that nnU-Net plans, preprocesses, trains and predicts it within seconds.

``task`` is a copy of it that a test may change; ``tuned`` is one that was tuned once, and is only read.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprint_dataset,
    plan_experiment_dataset,
    preprocess_dataset,
)
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint, run_training
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.discovery import HOST_VARIABLE, search_folder

DATASET = "Dataset801_Tiny"
LABELS = {"background": 0, "organ": 1, "lesion": 2}
PRETRAINED_LABELS = {"background": 0, "organ": 1}
CASES = 6
TRAINING, VALIDATION = range(4), range(4, 6)
BLOCK = {
    "prompts": 2,
    "prompt_channels": 2,
    "width": 4,
    "learning_rate": 0.003,
    "epochs": 2,
    "iterations_per_epoch": 3,
    "validation_iterations_per_epoch": 2,
}
CPU = torch.device("cpu")


class PowerCutError(Exception):
    """Ends a run from outside."""


class Task:
    """nnU-Net's three folders with the tiny task in them, and its commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trainer_name = "nnUNetTrainerSLPT"
        self.raw, self.preprocessed, self.results = (
            folder / name for name in ("raw", "preprocessed", "results")
        )
        self.plans_file = self.preprocessed / DATASET / "nnUNetPlans.json"
        self.dataset_file = self.preprocessed / DATASET / "dataset.json"
        self.splits_file = self.preprocessed / DATASET / "splits_final.json"
        self.cases = self.preprocessed / DATASET / "nnUNetPlans_3d_fullres"
        self.images = self.raw / DATASET / "imagesTs"
        self.pretrained = folder / "pretrained.pth"

    def announce(self, monkeypatch: pytest.MonkeyPatch) -> Task:
        """Set nnU-Net's environment variables to this task."""
        for name in ("raw", "preprocessed", "results"):
            monkeypatch.setenv(f"nnUNet_{name}", str(self.folder / name))
        monkeypatch.setenv(HOST_VARIABLE, search_folder())
        monkeypatch.setenv("nnUNet_n_proc_DA", "0")
        monkeypatch.setenv("nnUNet_compile", "f")
        return self

    def output(self, configuration: str = "3d_fullres", fold: int | str = 0) -> Path:
        return self.results / DATASET / f"{self.trainer_name}__nnUNetPlans__{configuration}" / f"fold_{fold}"

    def log(self, **of: Any) -> str:
        return "\n".join(file.read_text() for file in sorted(self.output(**of).glob("training_log_*")))

    def checkpoint(self, name: str = "checkpoint_final.pth", **of: Any) -> dict[str, Any]:
        content: dict[str, Any] = torch.load(self.output(**of) / name, weights_only=False)
        return content

    def set_block(self, **settings: Any) -> None:
        self.change_plans(lambda plans: plans["slpt"].update(settings))

    def change_plans(self, change: Callable[[dict[str, Any]], object]) -> None:
        _change_json(self.plans_file, change)

    def change_dataset(self, change: Callable[[dict[str, Any]], object]) -> None:
        _change_json(self.dataset_file, change)

    def write_splits(self, training: list[str], validation: list[str]) -> None:
        self.splits_file.write_text(json.dumps([{"train": training, "val": validation}]))

    def run(
        self,
        configuration: str = "3d_fullres",
        fold: int | str = 0,
        pretrained: Path | None = None,
        **options: Any,
    ) -> None:
        """What ``nnUNetv2_train`` runs, the validation at the end included."""
        weights = None if pretrained is None else str(pretrained)
        run_training(
            "801", configuration, fold, self.trainer_name, "nnUNetPlans", weights, device=CPU, **options
        )

    def trainer(
        self,
        configuration: str = "3d_fullres",
        fold: int | str = 0,
        pretrained: Path | None = None,
        continued: bool = False,
    ) -> Any:
        """As ``run``, but stops before the first epoch, and will draw no progress.png."""
        trainer = get_trainer_from_args(
            "801", configuration, fold, self.trainer_name, "nnUNetPlans", continued, CPU
        )
        trainer.logger.plot_progress_png = lambda folder: None
        maybe_load_checkpoint(trainer, continued, False, None if pretrained is None else str(pretrained))
        return trainer

    def predicted(self, configuration: str = "3d_fullres") -> Any:
        """Labels that the stock command predicts for the one new image."""
        chosen = ["-d", "801", "-c", configuration, "-tr", self.trainer_name, "-f", "0"]
        slow = ["-npp", "0", "-nps", "0", "-device", "cpu", "--disable_tta"]
        self.command(predict_entry_point, "-i", self.images, "-o", self.folder / "out", *chosen, *slow)
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(self.folder / "out" / "new.nii.gz")))

    def interrupt(self, trainer: Any, before_epoch: int) -> None:
        """Run until an epoch is about to begin; ``save_every`` has nnU-Net write a checkpoint after each."""
        begin = trainer.on_epoch_start

        def begin_or_end() -> None:
            if trainer.current_epoch == before_epoch:
                raise PowerCutError
            begin()

        trainer.save_every, trainer.on_epoch_start = 1, begin_or_end
        with pytest.raises(PowerCutError):
            trainer.run_training()

    def command(self, entry_point: Callable[[], object], *arguments: object) -> None:
        """Run one of nnU-Net's commands in this process."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(sys, "argv", ["nnUNetv2", *map(str, arguments)])
            # With "-device cpu" it would take every core from then on, those that others use too.
            monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
            entry_point()

    def preprocess(self, relabel: Callable[[Any], Any] = lambda labels: labels) -> None:
        """What nnU-Net's preprocessing does for each case, with changed labels."""
        plans, dataset = PlansManager(str(self.plans_file)), json.loads(self.dataset_file.read_text())
        for label in sorted((self.raw / DATASET / "labelsTr").iterdir()):
            voxels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(label)))
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(relabel(voxels)), str(label))
            case = label.name.removesuffix(".nii.gz")
            image = label.parents[1] / "imagesTr" / f"{case}_0000.nii.gz"
            for file in self.cases.glob(f"{case}*.b2nd"):  # which blosc2 does not overwrite
                file.unlink()
            DefaultPreprocessor(verbose=False).run_case_save(
                str(self.cases / case),
                [str(image)],
                str(label),
                plans,
                plans.get_configuration("3d_fullres"),
                dataset,
            )

    def write_pretrained(self, configuration: str = "3d_fullres") -> Path:
        """A checkpoint that the stock trainer writes, for a task with other labels, on the present plans."""
        plans = json.loads(self.plans_file.read_text()) | {"continue_training": False}
        plans.pop("slpt", None)
        dataset = json.loads(self.dataset_file.read_text()) | {"labels": PRETRAINED_LABELS}
        torch.manual_seed(7)
        trainer = nnUNetTrainer(plans, configuration, 0, dataset, CPU)
        trainer.initialize()
        trainer.save_checkpoint(str(self.pretrained))
        shutil.rmtree(self.results)
        return self.pretrained

    def ordinary_model(self) -> Path:
        """A model folder around the pretrained checkpoint: stock, and it knows the organ alone."""
        folder = self.folder / "ordinary"
        (folder / "fold_0").mkdir(parents=True)
        shutil.copy(self.pretrained, folder / "fold_0" / "checkpoint_final.pth")
        content = torch.load(self.pretrained, weights_only=False)["init_args"]
        for name, key in (("plans.json", "plans"), ("dataset.json", "dataset_json")):
            (folder / name).write_text(json.dumps(content[key]))
        return folder


def _change_json(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def _write_raw(folder: Path) -> None:
    """Noise with an organ (a bright ball) and a lesion (a darker ball inside)."""
    random = np.random.default_rng(0)
    for case in range(CASES):
        shape = np.array([20, 22, 24])
        centre = shape / 2 + random.uniform(-2, 2, 3)
        distance = np.linalg.norm(np.indices(shape).T - centre, axis=-1).T
        label = (distance < 7).astype(np.uint8) + (distance < 3)
        image = random.normal(size=shape) + np.array([0, 5, 2])[label]
        for part, name, voxels in (("images", "_0000", image.astype(np.float32)), ("labels", "", label)):
            path = folder / f"{part}Tr" / f"case_{case}{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path))
    about = {"channel_names": {"0": "MRI"}, "labels": LABELS, "numTraining": CASES, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))
    (folder / "imagesTs").mkdir()
    shutil.copy(folder / "imagesTr" / "case_5_0000.nii.gz", folder / "imagesTs" / "new_0000.nii.gz")


def _shrink(plans: dict[str, Any]) -> None:
    """Three narrow stages and a small patch, in 3D and in 2D; both read the same preprocessed cases."""
    plans["slpt"] = dict(BLOCK)
    plans["configurations"] = {name: plans["configurations"][name] for name in ("3d_fullres", "2d")}
    for name, axes in (("3d_fullres", 3), ("2d", 2)):
        configuration = plans["configurations"][name]
        configuration |= {"patch_size": [16] * axes, "batch_size": 2}
        configuration["data_identifier"] = "nnUNetPlans_3d_fullres"
        configuration["architecture"]["arch_kwargs"] |= {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "kernel_sizes": [[3] * axes] * 3,
            "strides": [[1] * axes, [2] * axes, [2] * axes],
            "n_conv_per_stage": [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
        }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """Planned and preprocessed by nnU-Net, with a split and a stock-pretrained checkpoint."""
    task = Task(tmp_path_factory.mktemp("template"))
    _write_raw(task.raw / DATASET)
    with pytest.MonkeyPatch.context() as monkeypatch:
        task.announce(monkeypatch)
        extract_fingerprint_dataset(801, num_processes=1, show_progress_bar=False)
        # The planner (static_estimate_VRAM_usage) hands this number to torch.set_num_threads.
        monkeypatch.setenv("nnUNet_n_proc_DA", "1")
        plan_experiment_dataset(801)
        task.announce(monkeypatch).change_plans(_shrink)
        preprocess_dataset(801, configurations=("3d_fullres",), num_processes=(1,))
        task.write_splits(*([f"case_{case}" for case in cases] for cases in (TRAINING, VALIDATION)))
        task.write_pretrained()
    return task


@pytest.fixture
def empty_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The folders' names alone."""
    return Task(tmp_path / "task").announce(monkeypatch)


@pytest.fixture
def task(template: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A copy of the task that a test may change."""
    return copy_of(template, tmp_path / "task").announce(monkeypatch)


@pytest.fixture(scope="session")
def _tuned(template: Task, tmp_path_factory: pytest.TempPathFactory) -> Task:
    task = copy_of(template, tmp_path_factory.mktemp("tuned") / "task")
    with pytest.MonkeyPatch.context() as monkeypatch:
        task.announce(monkeypatch).run(pretrained=task.pretrained, export_validation_probabilities=True)
    return task


@pytest.fixture
def tuned(_tuned: Task, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The task after ``nnUNetv2_train ... -pretrained_weights ... --npz``; only to be read."""
    return _tuned.announce(monkeypatch)


@pytest.fixture
def tuned_copy(_tuned: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The same, to be changed."""
    return copy_of(_tuned, tmp_path / "tuned").announce(monkeypatch)


def copy_of(task: Task, folder: Path) -> Task:
    shutil.copytree(task.folder, folder)
    return Task(folder)
