"""A selection from a dataset's files to a choice: what is random follows the seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt.selection import Request
from nnunet_slpt.selection.rounds import Round
from nnunet_slpt.selection.workflow import select


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ten images without a label."""
    for part in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{part}", str(tmp_path / part))
    raw = tmp_path / "raw" / "Dataset801_Tiny"
    (raw / "imagesTr").mkdir(parents=True)
    labels = {"background": 0, "organ": 1}
    about = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": 0, "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps(about))
    for number in range(10):
        image = SimpleITK.GetImageFromArray(np.full((4, 4, 4), number, np.float32) + np.eye(4))
        SimpleITK.WriteImage(image, str(raw / "imagesTr" / f"case_{number}_0000.nii.gz"))
    return "801"


def chosen(dataset: str, seed: int) -> tuple[str, ...]:
    request = Request(
        dataset=dataset, budget="5", strategy="random", seed=seed, preprocessing=0, dry_run=True
    )
    made = select(request, say=lambda line: None)
    assert made is not None
    assert made.seed == seed
    return made.chosen


def test_the_same_seed_chooses_the_same_and_another_one_others(dataset: str) -> None:
    first, again, other = (chosen(dataset, seed) for seed in (1, 1, 2))
    assert first == again
    assert set(first) != set(other)


def choose(dataset: str, **asked: Any) -> Round:
    request = Request(dataset=dataset, budget="2", strategy="random", preprocessing=0, **asked)
    made = select(request, say=lambda line: None)
    assert made is not None
    return made


def test_validation_outlives_a_lost_split_file(dataset: str, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed.json"
    fixed.write_text('["case_0", "case_1"]')
    assert choose(dataset, validation_file=fixed).validation == ("case_0", "case_1")
    (split,) = (tmp_path / "preprocessed").glob("*/splits_final.json")
    split.unlink()
    assert choose(dataset, partial=True).validation == ("case_0", "case_1")
    assert json.loads(split.read_text())[0]["val"] == ["case_0", "case_1"]


def test_a_case_that_an_earlier_round_excluded_may_be_named_when_it_is_gone(
    dataset: str, tmp_path: Path
) -> None:
    left_out = tmp_path / "left_out.json"
    left_out.write_text('["case_3"]')
    choose(dataset, exclude_file=left_out)
    (image,) = (tmp_path / "raw").glob("*/imagesTr/case_3_0000.nii.gz")
    image.unlink()
    assert choose(dataset, exclude_file=left_out, partial=True).excluded == ("case_3",)
