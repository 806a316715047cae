"""The campaign of examples/demo: a pretrained model, scans without labels, two rounds of real commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "demo" / "campaign.py"
POOL, TEST = ("case_0", "case_1", "case_2", "case_3"), ("case_4", "case_5")


@pytest.fixture
def source(task: Any, tmp_path: Path) -> Path:
    """What an annotator has: every label, and a pretrained model that knows the organ alone."""
    folder = tmp_path / "source"
    shutil.copytree(task.raw, folder)
    shutil.rmtree(next(folder.glob("Dataset*")) / "imagesTs")
    (folder / "split.json").write_text(json.dumps({"pool": POOL, "test": TEST}))
    model = folder / "pretrained" / "Dataset800_Organ" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    shutil.copytree(task.ordinary_model(), model)
    (model / "fold_0").rename(model / "fold_all")
    return folder


def test_a_campaign_from_no_label_to_a_tuned_model(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    words = f"--data {source} --output {output} --budgets 2 1 --epochs 1 --iterations 2"
    command = [sys.executable, str(SCRIPT), *words.split()]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    rounds = json.loads((output / "campaign.json").read_text())["rounds"]
    assert [one["labelled"] for one in rounds] == [2, 3]
    chosen = {name for one in rounds for name in one["chosen"]}
    labels = next((output / "nnUNet_raw").glob("Dataset*")) / "labelsTr"
    assert {file.name.removesuffix(".nii.gz") for file in labels.iterdir()} == chosen < {*POOL}
    assert all(set(one["dice"]) == {"organ", "lesion"} for one in rounds)
    assert f"nnunet_slpt_collect -d 801 -i {output}/annotated/round_01" in told.stdout
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert again.stdout.count("finished before") == 10  # link, plan, and four steps a round


def test_a_campaign_of_other_budgets_is_not_mixed_in(source: Path, tmp_path: Path) -> None:
    rounds = tmp_path / "output" / "nnUNet_preprocessed" / "Dataset801_Tiny" / "slpt_selection"
    rounds.mkdir(parents=True)
    (rounds / "round_00.json").write_text("{}")
    words = f"--data {source} --output {tmp_path / 'output'} --budgets 2"
    told = subprocess.run(
        [sys.executable, str(SCRIPT), *words.split()], check=False, capture_output=True, text=True
    )
    assert told.returncode == 1
    assert "holds 1 rounds, expected 0" in told.stderr
