"""nnU-Net's own commands on a tuned model, unchanged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from nnunetv2.evaluation.evaluate_predictions import evaluate_folder_entry_point
from nnunetv2.evaluation.find_best_configuration import find_best_configuration_entry_point
from nnunetv2.inference.predict_from_raw_data import predict_entry_point, predict_entry_point_modelfolder
from nnunetv2.model_sharing.entry_points import export_pretrained_model_entry, install_from_zip_entry_point

CHOSEN = ["-d", "801", "-c", "3d_fullres", "-tr", "nnUNetTrainerSLPT", "-f", "0"]
IN_THIS_PROCESS = ["-npp", "0", "-nps", "0"]


def predict(task: Any, output: Path, *options: str) -> Any:
    """Labels of the one new image."""
    paths = ["-i", task.images, "-o", output]
    task.command(predict_entry_point, *paths, *CHOSEN, *IN_THIS_PROCESS, "-device", "cpu", *options)
    return read(output)


def read(output: Path) -> Any:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(output / "new.nii.gz")))


@pytest.fixture
def model(tuned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the tuned task, which a command may add to."""
    shutil.copytree(tuned.folder, tmp_path / "model")
    return type(tuned)(tmp_path / "model").announce(monkeypatch)


def test_predicting_gives_labels_on_the_grid_of_the_image(model: Any, tmp_path: Path) -> None:
    labels = predict(model, tmp_path / "out")
    assert labels.shape == (20, 22, 24)
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert len(np.unique(labels)) > 1


def test_predicting_twice_gives_the_same(model: Any, tmp_path: Path) -> None:
    assert (predict(model, tmp_path / "one") == predict(model, tmp_path / "two")).all()


def test_predicting_from_the_model_folder_gives_the_same(model: Any, tmp_path: Path) -> None:
    paths = ["-i", model.images, "-o", tmp_path / "two", "-m", model.output().parent]
    few = ["-f", "0", "-npp", "1", "-nps", "1", "-device", "cpu"]
    model.command(predict_entry_point_modelfolder, *paths, *few)
    assert (predict(model, tmp_path / "one") == read(tmp_path / "two")).all()


def test_the_best_checkpoint_predicts_too(model: Any, tmp_path: Path) -> None:
    assert predict(model, tmp_path / "out", "-chk", "checkpoint_best.pth").shape == (20, 22, 24)


def test_a_model_that_was_exported_and_installed_predicts_the_same(model: Any, tmp_path: Path) -> None:
    before = predict(model, tmp_path / "before", "--disable_tta")
    model.command(export_pretrained_model_entry, "-o", tmp_path / "model.zip", *CHOSEN)
    shutil.rmtree(model.results)
    model.command(install_from_zip_entry_point, tmp_path / "model.zip")
    assert (predict(model, tmp_path / "after", "--disable_tta") == before).all()


def test_evaluating_a_folder_gives_the_scores_of_the_validation(model: Any, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    for case in (4, 5):
        shutil.copy(model.raw / "Dataset801_Tiny/labelsTr" / f"case_{case}.nii.gz", truth)
    validation, about = model.output() / "validation", model.output().parent
    files = [
        "-djfile",
        about / "dataset.json",
        "-pfile",
        about / "plans.json",
        "-o",
        tmp_path / "summary.json",
    ]
    model.command(evaluate_folder_entry_point, truth, validation, *files, "-np", "1")
    scores = [json.loads((folder / "summary.json").read_text())["mean"] for folder in (tmp_path, validation)]
    assert scores[0] == scores[1]


def test_finding_the_best_configuration(model: Any) -> None:
    options = ["-c", "3d_fullres", "-tr", "nnUNetTrainerSLPT", "-f", "0", "-np", "1"]
    model.command(find_best_configuration_entry_point, "801", *options)
    found = json.loads((model.results / "Dataset801_Tiny/inference_information.json").read_text())
    assert found["best_model_or_ensemble"]["selected_model_or_models"][0]["trainer"] == "nnUNetTrainerSLPT"
