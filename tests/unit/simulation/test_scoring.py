"""Predictions are measured on the label's grid; what cannot be measured is told."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt.datasets import Case
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation import scoring as module
from nnunet_slpt.simulation.scoring import score_cases
from nnunet_slpt.simulation.source import Source

SHAPE = (6, 8, 10)


def write(file: Path, voxels: np.ndarray) -> Path:  # type: ignore[type-arg]
    file.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((1.0, 1.0, 3.0))
    SimpleITK.WriteImage(image, str(file))
    return file


@pytest.fixture
def source(tmp_path: Path) -> Source:
    raw = tmp_path / "Dataset007_Toy"
    truth = np.zeros(SHAPE, np.uint8)
    truth[1:5, 2:6, 2:6] = 1
    image = write(raw / "imagesTr" / "a_0000.nii.gz", truth.astype(np.float32))
    label = write(raw / "labelsTr" / "a.nii.gz", truth)
    about = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "organ": 1, "lesion": 2},
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(about))
    return Source(raw, {"a": Case("a", (image,), label, labelled=True)}, (), ("a",))


def test_a_prediction_is_measured_class_by_class(source: Source, tmp_path: Path) -> None:
    predicted = np.zeros(SHAPE, np.uint8)
    predicted[1:5, 2:6, 2:4] = 1  # half of it
    write(tmp_path / "predicted" / "a.nii.gz", predicted)
    scores = score_cases(source, ["a"], tmp_path / "predicted", 1.0, 0)
    assert scores["a"]["organ"]["dice"] == 0.66667
    assert scores["a"]["lesion"]["dice"] is None  # neither there nor predicted


@pytest.mark.parametrize(
    ("axis", "tolerance_mm", "agrees"),
    [(0, 3.0, True), (0, 2.9, False), (1, 1.0, True), (1, 0.9, False), (2, 1.0, True), (2, 0.9, False)],
)
def test_surfaces_are_compared_in_mm_with_slices_of_3_mm(
    source: Source, tmp_path: Path, axis: int, tolerance_mm: float, agrees: bool
) -> None:
    truth = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(source.cases["a"].label)))
    write(tmp_path / "predicted" / "a.nii.gz", np.roll(truth, 1, axis))  # by one voxel
    scores = score_cases(source, ["a"], tmp_path / "predicted", tolerance_mm, 0)
    assert (scores["a"]["organ"]["nsd"] == 1) is agrees


def test_what_is_predicted_where_the_label_says_ignore_is_not_measured(
    source: Source, tmp_path: Path
) -> None:
    file = source.folder / "dataset.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"labels": about["labels"] | {"ignore": 3}}))
    truth = np.zeros(SHAPE, np.uint8)
    truth[1:5, 2:6, 2:6], truth[:, :, 8:] = 1, 3
    write(source.folder / "labelsTr" / "a.nii.gz", truth)
    predicted = np.where(truth == 3, 2, truth).astype(np.uint8)
    write(tmp_path / "predicted" / "a.nii.gz", predicted)
    scores = score_cases(source, ["a"], tmp_path / "predicted", 0.0, 0)["a"]
    assert list(scores) == ["organ", "lesion"]
    assert (scores["organ"]["dice"], scores["organ"]["nsd"]) == (1, 1)
    assert set(scores["lesion"].values()) == {None}  # neither there nor predicted


def test_no_more_processes_measure_than_are_asked_for(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def workers(processes: int) -> Workers:
        asked.append(processes)
        return Workers(processes)

    monkeypatch.setattr(module, "Workers", workers)
    write(tmp_path / "predicted" / "a.nii.gz", np.zeros(SHAPE, np.uint8))
    for processes in (0, 3):
        score_cases(source, ["a"], tmp_path / "predicted", 1.0, processes)
    assert asked == [0, 3]


def test_a_missing_prediction_is_named(source: Source, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"1 predictions are missing, the first is .*a\.nii\.gz"):
        score_cases(source, ["a"], tmp_path / "predicted", 1.0, 0)


def test_a_prediction_that_does_not_lie_on_its_label_is_named(source: Source, tmp_path: Path) -> None:
    write(tmp_path / "predicted" / "a.nii.gz", np.zeros((5, 8, 10), np.uint8))
    with pytest.raises(SimulationError, match=r"predicted/a\.nii\.gz cannot be compared with .*labelsTr/a"):
        score_cases(source, ["a"], tmp_path / "predicted", 1.0, 0)
