"""A PUNet by our commands alone: planned and pretrained on one dataset, planned and tuned on another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from small_models import about, write_raw

from nnunet_slpt.discovery import HOST_VARIABLE, search_folder
from nnunet_slpt.doctor.cli import main as doctor
from nnunet_slpt.planners.cli import main as plan
from nnunet_slpt.preprocessing.cli import main as preprocess

SHORT = {"iterations_per_epoch": 2, "validation_iterations_per_epoch": 1}
CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("raw", "preprocessed", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    # nnU-Net's 100 million take seconds, however small the images are.
    monkeypatch.setattr("nnunet_slpt.datasets.fingerprint.VOXELS_SAMPLED", 1e4)
    monkeypatch.setenv(HOST_VARIABLE, search_folder())
    monkeypatch.setenv("nnUNet_n_proc_DA", "0")
    monkeypatch.setenv("nnUNet_compile", "f")
    return tmp_path


def shorten(file: Path) -> None:
    plans = json.loads(file.read_text())
    plans["slpt"] |= SHORT
    file.write_text(json.dumps(plans))


def train(dataset: str, trainer: str, plans: str) -> Path:
    """As ``nnUNetv2_train DATASET 3d_fullres all -tr TRAINER -p PLANS``."""
    made = get_trainer_from_args(dataset, "3d_fullres", "all", trainer, plans, False, CPU)
    made.logger.plot_progress_png = lambda folder: None
    maybe_load_checkpoint(made, False, False, None)
    made.run_training()
    return Path(made.output_folder)


def body_of(output: Path) -> dict[str, Any]:
    weights = torch.load(output / "checkpoint_final.pth", weights_only=False)["network_weights"]
    return {name: tensor for name, tensor in weights.items() if name.startswith("body.")}


def test_from_scratch_to_tuned_tokens(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_raw(folder / "raw/Dataset100_Source", about(), cases=4, labelled=4)
    write_raw(folder / "raw/Dataset200_Target", about(), cases=5, labelled=3)
    small = ["--features", "4", "8", "--epochs", "1", "-npp", "1", "--patch_size", "16", "16", "16"]
    assert plan(["-d", "100", "--punet", *small]) == 0
    shorten(folder / "preprocessed/Dataset100_Source/nnUNetPUNetPlans.json")
    assert preprocess(["-d", "100", "-p", "nnUNetPUNetPlans", "-c", "3d_fullres", "-np", "1"]) == 0
    pretrained = train("100", "nnUNetTrainerPUNetPretrain", "nnUNetPUNetPlans")

    model = ["-d", "200", "-m", str(pretrained.parent), "-npp", "1"]
    capsys.readouterr()
    assert doctor(model) == 0
    assert "GPU memory: tuning takes about 1 GB" in capsys.readouterr().out
    assert plan([*model, "--epochs", "1"]) == 0
    assert "-tr nnUNetTrainerPUNet -p nnUNetSLPTPlans" in capsys.readouterr().out
    shorten(folder / "preprocessed/Dataset200_Target/nnUNetSLPTPlans.json")
    assert preprocess(["-d", "200", "-p", "nnUNetSLPTPlans", "-np", "1"]) == 0
    tuned = train("200", "nnUNetTrainerPUNet", "nnUNetSLPTPlans")

    before, after = body_of(pretrained), body_of(tuned)
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert (tuned / "tokens_final.safetensors").is_file()


def test_preprocessed_without_any_label(folder: Path) -> None:
    write_raw(folder / "raw/Dataset100_Source", about(), cases=2, labelled=0)
    assert plan(["-d", "100", "--punet", "--features", "4", "8", "-npp", "1"]) == 0
    asked = ["-d", "100", "-p", "nnUNetPUNetPlans", "-c", "3d_fullres", "-np", "1", "--unlabelled"]
    assert preprocess(asked) == 0
    made = folder / "preprocessed/Dataset100_Source/nnUNetPUNetPlans_3d_fullres"
    assert {file.name for file in made.glob("*.pkl")} == {"case_0.pkl", "case_1.pkl"}
