"""``nnunet_slpt_preprocess`` on the tiny task: the same as stock, continued after a kill, and trained on."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import blosc2
import numpy as np
import pytest
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprint_dataset,
    preprocess_dataset,
)
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from nnunet_slpt.preprocessing.cli import main

DATASET = "Dataset801_Tiny"
ASKED = ("-d", "801", "-p", "nnUNetPlans", "-c", "3d_fullres", "-np", "1")
LABELLED = tuple(f"case_{number}" for number in range(4))

KILLED = """
import os, signal, sys
from nnunet_slpt.preprocessing import store
from nnunet_slpt.preprocessing.cli import main

moved = []
move = store.move

def killed_in_the_second_case(source, target):
    move(source, target)
    moved.append(target)
    if len(moved) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

store.move = killed_in_the_second_case
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def half(task: Any) -> Any:
    """Planned and not preprocessed; two of its six cases have no label."""
    home = task.preprocessed / DATASET
    shutil.rmtree(task.cases)
    shutil.rmtree(home / "gt_segmentations")
    task.dataset_file.unlink()
    task.write_splits(list(LABELLED[:3]), list(LABELLED[3:]))
    for number in (4, 5):
        (task.raw / DATASET / "labelsTr" / f"case_{number}.nii.gz").unlink()
    return task


def _content(file: Path) -> Any:
    """What a file holds; arrays and pickles as nnU-Net reads them, for blosc2 packs the same in many ways."""
    if file.suffix == ".b2nd":
        array = blosc2.open(str(file))
        return array[:].tobytes(), array.dtype, array.shape, array.chunks, array.blocks
    if file.suffix == ".pkl":
        properties = pickle.loads(file.read_bytes())
        return {key: _comparable(value) for key, value in properties.items()}
    return file.read_bytes()


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(entry) for key, entry in value.items()}
    return (value.dtype, value.tolist()) if isinstance(value, np.ndarray) else value


def _contents(home: Path) -> dict[str, Any]:
    folders = (home, home / "nnUNetPlans_3d_fullres", home / "gt_segmentations")
    files = (file for folder in folders for file in folder.iterdir() if file.is_file())
    return {str(file.relative_to(home)): _content(file) for file in files}


def test_the_same_as_stock_on_the_labelled_cases(half: Any) -> None:
    home = half.preprocessed / DATASET
    (home / "dataset_fingerprint.json").unlink()
    assert main(ASKED) == 0
    ours = _contents(home)
    # Stock, where the cases without a label do not exist.
    for number in (4, 5):
        (half.raw / DATASET / "imagesTr" / f"case_{number}_0000.nii.gz").unlink()
    for name in ("nnUNetPlans_3d_fullres", "gt_segmentations"):
        shutil.rmtree(home / name)
    (home / "dataset_fingerprint.json").unlink()
    extract_fingerprint_dataset(801, num_processes=1, show_progress_bar=False)
    preprocess_dataset(801, configurations=("3d_fullres",), num_processes=(1,))
    stock = _contents(home)
    assert len([name for name in stock if name.startswith("nnUNetPlans_3d")]) == 3 * len(LABELLED)
    assert ours.keys() - {"dataset.json"} == stock.keys() - {"dataset.json"}
    assert json.loads(ours.pop("dataset.json")) == json.loads(stock.pop("dataset.json"))
    assert ours == stock


def test_killed_and_started_again(half: Any) -> None:
    command = [sys.executable, "-c", KILLED, *ASKED]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
    found = nnUNetDatasetBlosc2.get_identifiers(str(half.cases))
    assert found == ["case_0"]
    first = half.cases / "case_0.b2nd"
    before = first.stat().st_mtime_ns
    assert main(ASKED) == 0
    assert first.stat().st_mtime_ns == before
    assert {file.name for file in half.cases.iterdir()} == {
        f"{case}{ending}" for case in LABELLED for ending in (".b2nd", "_seg.b2nd", ".pkl")
    }
    assert not (half.preprocessed / DATASET / "slpt_preprocessing" / "unfinished").exists()


@pytest.mark.parametrize("fold", [0, "all"])
def test_trained_on_with_cases_that_have_no_label(half: Any, fold: int | str) -> None:
    assert main(ASKED) == 0
    half.set_block(epochs=1)
    half.run(fold=fold, pretrained=half.pretrained)
    assert (half.output(fold=fold) / "checkpoint_final.pth").is_file()
    summary = json.loads((half.output(fold=fold) / "validation" / "summary.json").read_text())
    validated = {Path(case["reference_file"]).name for case in summary["metric_per_case"]}
    expected = LABELLED[3:] if fold == 0 else LABELLED
    assert validated == {f"{case}.nii.gz" for case in expected}


def test_stock_commands_after_the_entry_was_written(half: Any) -> None:
    assert main((*ASKED, "--write_dataset_entry")) == 0
    ours = _contents(half.preprocessed / DATASET)
    preprocess_dataset(801, configurations=("3d_fullres",), num_processes=(1,))
    assert _contents(half.preprocessed / DATASET) == ours


def test_refused(half: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("-d", "801", "-p", "nnUNetPlanz")) == 2
    assert "plans there: nnUNetPlans" in capsys.readouterr().err
    assert main(("-d", "802")) == 2
    assert "unknown dataset '802'" in capsys.readouterr().err
