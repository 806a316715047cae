"""The doctor on the tiny task and on the real ones: it tells, and not a file is another one afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.doctor.cli import main


def state(*folders: Path) -> dict[Path, tuple[int, bytes | None]]:
    """Each file and folder with its time and content."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for folder in folders
        for path in [folder, *folder.rglob("*")]
    }


def told(task: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, set[str]]]:
    """Exit code, and the subjects of each level."""
    before = state(task.folder)
    code = main(["-d", "801", "-m", str(task.ordinary), "-npp", "1", "--json"])
    assert state(task.folder) == before
    findings = json.loads(capsys.readouterr().out)["findings"]
    return code, {level: {one["subject"] for one in findings if one["level"] == level} for level in LEVELS}


LEVELS = ("error", "warning", "note")


@pytest.fixture
def task(task: Any) -> Any:
    """As one finds it before anything is planned: raw data and somebody's model."""
    task.ordinary = task.ordinary_model()
    shutil.rmtree(task.preprocessed)
    return task


def test_a_pair_that_fits(task: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(task, capsys)
    assert code == 0
    assert not found["error"] | found["warning"]
    assert not task.preprocessed.exists()


def test_much_that_is_wrong(task: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raw = task.raw / "Dataset801_Tiny"
    (raw / "imagesTr/case_0_0000.nii.gz").write_bytes(b"damaged")
    shutil.copy(raw / "imagesTr/case_1_0000.nii.gz", raw / "labelsTr/case_1.nii.gz")  # fractions
    code, found = told(task, capsys)
    assert code == 1
    assert found["error"] == {"images", "labels"}
    assert found["note"] >= {"GPU memory"}


@pytest.mark.parametrize(
    ("task_folder", "model", "levels"),
    [
        ("heart/Dataset027_Heart", HEART := "heart/pretrained/Dataset903_HeartLV", {"note"}),
        ("hippocampus/Dataset004_Hippocampus", HIPPOCAMPUS := "hippocampus/pretrained", {"note"}),
        ("hippocampus/Dataset004_Hippocampus", HEART, {"error", "warning", "note"}),
        ("heart/Dataset027_Heart", HIPPOCAMPUS, {"warning", "note"}),
    ],
    ids=["heart", "hippocampus", "hippocampus, model of the heart", "heart, model of the hippocampus"],
)
def test_real_pairs(
    empty_task: Any,
    data_folder: Path,
    task_folder: str,
    model: str,
    levels: set[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, (folder, *_) = Path(task_folder).name, sorted((data_folder / model).rglob("*Small__3d_fullres"))
    for part in ("imagesTr", "labelsTr"):
        (empty_task.raw / name / part).mkdir(parents=True)
        for file in sorted((data_folder / task_folder / part).iterdir())[:10]:
            shutil.copy(file, empty_task.raw / name / part)
    shutil.copy(data_folder / task_folder / "dataset.json", empty_task.raw / name)
    code = main(["-d", name, "-m", str(folder), "-npp", "1", "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {one["level"] for one in findings} == levels
    assert code == ("error" in levels)
