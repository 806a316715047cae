"""A selection from a dataset's files to a choice: what is random follows the seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt.selection import Request
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
