"""From a pretrained model of any age and kind to a trained epoch, without ``-pretrained_weights``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.run.run_training import get_trainer_from_args, maybe_load_checkpoint
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from small_models import about, as_before_2_3, plans_of, write_model, write_raw, zipped

from nnunet_slpt.discovery import HOST_VARIABLE, search_folder
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.planners.cli import main
from nnunet_slpt.planners.target import Target
from nnunet_slpt.pretrained import read_checkpoint
from nnunet_slpt.trainers.join import join

DATASET = "Dataset200_Target"
PLANS = "nnUNetSLPTPlans"
CPU = torch.device("cpu")
SETTINGS = {"prompt_channels": 2, "width": 4, "iterations_per_epoch": 2, "validation_iterations_per_epoch": 1}
RESIDUAL = {"network": "ResidualEncoderUNet"}
# What is the model's → its plans; the form they are written in; its channels; its labels.
KINDS: dict[str, dict[str, Any]] = {
    "2.0": {"old": True},
    "2.2 residual, inherited": {"old": True, "inherited": True, "plans": RESIDUAL},
    "2.8": {},
    "ResEnc": {"plans": RESIDUAL, "planner": "nnUNetPlannerResEncL"},
    "other channels": {"channels": ("T1", "T2", "T3"), "options": ["--stem", "average"]},
    "more channels here": {"here": ("T1", "T2"), "options": ["--stem", "repeat"]},
    "other classes": {"labels": {"background": 0, "liver": 1, "spleen": 2, "kidney": 3}},
    "zip": {"zip": True},
}


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


def model_of(folder: Path, kind: dict[str, Any]) -> Path:
    channels = kind.get("channels", ("MRI",))
    plans = plans_of(channels=len(channels), **kind.get("plans", {}))
    plans["experiment_planner_used"] = kind.get("planner", "ExperimentPlanner")
    written = as_before_2_3(plans, kind.get("inherited", False)) if kind.get("old") else None
    model = write_model(folder / "models", plans, about(channels, kind.get("labels")), written)
    return zipped(model, folder / "model") if kind.get("zip") else model


def plan(folder: Path, model: Path, options: list[str], channels: tuple[str, ...] = ("MRI",)) -> None:
    """The command on a dataset of which half is labelled, and settings small enough for a test."""
    write_raw(folder / "raw" / DATASET, about(channels), cases=5, labelled=3)
    assert main(["-d", "200", "-m", str(model), "-npp", "1", "--epochs", "1", "-K", "2", *options]) == 0
    file = folder / "preprocessed" / DATASET / f"{PLANS}.json"
    plans = json.loads(file.read_text())
    plans["slpt"] |= SETTINGS
    file.write_text(json.dumps(plans))


def preprocess(folder: Path) -> None:
    """As nnUNetv2_preprocess does with each labelled case, in this process."""
    home = folder / "preprocessed" / DATASET
    plans, dataset = (
        PlansManager(str(home / f"{PLANS}.json")),
        json.loads((home / "dataset.json").read_text()),
    )
    settings = plans.get_configuration("3d_fullres")
    cases = home / settings.data_identifier
    cases.mkdir()
    for case in (one for one in Target.of("200").cases if one.labelled):
        files = [list(map(str, case.images)), str(case.label)]
        DefaultPreprocessor(verbose=False).run_case_save(
            str(cases / case.name), *files, plans, settings, dataset
        )


def train(folder: Path) -> Path:
    """As ``nnUNetv2_train 200 3d_fullres all -tr nnUNetTrainerSLPT -p nnUNetSLPTPlans``."""
    trainer = get_trainer_from_args("200", "3d_fullres", "all", "nnUNetTrainerSLPT", PLANS, False, CPU)
    trainer.logger.plot_progress_png = lambda folder: None
    maybe_load_checkpoint(trainer, False, False, None)
    trainer.run_training()
    return Path(trainer.output_folder)


@pytest.mark.parametrize("name", KINDS)
def test_it_trains_an_epoch_inside_the_models_weights(folder: Path, name: str) -> None:
    kind = KINDS[name]
    plan(folder, model_of(folder, kind), kind.get("options", []), kind.get("here", ("MRI",)))
    preprocess(folder)
    output = train(folder)
    tuned = read_checkpoint(output / "checkpoint_final.pth")
    plans = json.loads((folder / "preprocessed" / DATASET / f"{PLANS}.json").read_text())
    frozen = read_checkpoint(plans["slpt"]["pretrained_checkpoint"]).weights
    deep = [name for name in frozen if name.startswith("encoder.stages.1.")]
    assert deep
    assert all(torch.equal(tuned.weights[name], frozen[name]) for name in deep)


def test_another_checkpoint_than_the_planned_one_is_refused(folder: Path) -> None:
    model = model_of(folder, {})
    plan(folder, model, [])
    preprocess(folder)
    file = model / "fold_all/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    content["network_weights"]["encoder.stages.0.0.convs.0.conv.weight"] += 1
    torch.save(content, file)
    with pytest.raises(CheckpointError, match="is not the file that the plans were made for"):
        train(folder)


def test_a_tuning_with_other_channels_is_joined_again(folder: Path) -> None:
    model = model_of(folder, {})
    plan(folder, model, ["--stem", "average"], ("T1", "T2"))
    preprocess(folder)
    output = train(folder)
    base = model / "fold_all/checkpoint_final.pth"
    joined = join(output / "prompts_final.safetensors", base, folder / "joined")
    there, again = (read_checkpoint(one).weights for one in (output / "checkpoint_final.pth", joined))
    assert there.keys() == again.keys()
    assert all(torch.equal(tensor, again[name]) for name, tensor in there.items())


@pytest.mark.parametrize(
    ("task", "model", "known"),
    [
        (
            "heart/Dataset027_Heart",
            "heart/pretrained/Dataset903_HeartLV/nnUNetTrainer__nnUNetPlansSmall__3d_fullres",
            "LV",
        ),
        ("hippocampus/Dataset004_Hippocampus", "hippocampus/pretrained/Dataset901_HippocampusWhole", None),
    ],
)
def test_real_models(
    folder: Path,
    data_folder: Path,
    task: str,
    model: str,
    known: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = folder / "raw" / Path(task).name
    (few / "imagesTr").mkdir(parents=True)
    shutil.copy(data_folder / task / "dataset.json", few)
    for image in sorted((data_folder / task / "imagesTr").iterdir())[:2]:
        shutil.copy(image, few / "imagesTr")
    assert main(["-d", few.name, "-m", str(data_folder / model), "-npp", "1"]) == 0
    told = capsys.readouterr().out
    assert "0 of 2 have a label" in told
    assert known is None or f"known by name: {known}; new: RV, MYO" in told
