"""What counts as foreground in a label, and what becomes of a label that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import SLPTError
from nnunet_slpt.selection.labels import count_foreground

LABELS = {"background": 0, "organ": 1, "lesion": 2}


def about(**labels: int) -> dict[str, object]:
    return {"channel_names": {"0": "CT"}, "labels": LABELS | labels, "file_ending": ".nii.gz"}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Its label has 4 voxels of organ, 3 of lesion and 5 of the number 3."""
    voxels = np.repeat([0, 1, 2, 3], [20, 4, 3, 5]).astype(np.uint8).reshape(2, 4, 4)
    for name in ("a.nii.gz", "a_0000.nii.gz"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(tmp_path / name))
    return Case("a", (tmp_path / "a_0000.nii.gz",), tmp_path / "a.nii.gz", labelled=True)


def test_what_is_ignored_is_no_foreground(case: Case) -> None:
    assert count_foreground([case], about(ignore=3)).tolist() == [7]
    assert count_foreground([case], about(vessel=3)).tolist() == [12]


def test_a_damaged_label_is_named(case: Case) -> None:
    case.label.write_bytes(case.label.read_bytes()[:60])
    with pytest.raises(SLPTError, match=r"one cannot be used: a\.nii\.gz: .*choose another strategy"):
        count_foreground([case], about())


def test_a_missing_label_is_named(case: Case) -> None:
    case.label.unlink()
    with pytest.raises(SLPTError, match="1 candidates have none: a"):
        count_foreground([case], about())
