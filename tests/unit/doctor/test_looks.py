"""What one look at a case's files keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO, NibabelIOWithReorient
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from small_models import about, write_raw

from nnunet_slpt.datasets import Case, read_cases
from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.doctor.looks import Look, look_at

SHAPE = (16, 18, 20)  # of the arrays


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw", about(("T1", "T2")), cases=2, labelled=1, spacing=(1.0, 2.0, 3.0))


def seen(raw: Path, number: int = 0, reader: Any = None) -> Look:
    case = read_cases(raw, hide_labels=False)[number]
    return look_at(case, reader or SimpleITKIO(), 2, LabelValues.of(about(("T1", "T2"))))


def change(file: Path, change: Callable[[Any], Any]) -> None:
    """Other voxels; what is said of where they lie stays, if they are as many."""
    image = SimpleITK.ReadImage(str(file))
    changed = SimpleITK.GetImageFromArray(change(SimpleITK.GetArrayFromImage(image)))
    if changed.GetSize() == image.GetSize():
        changed.CopyInformation(image)
    SimpleITK.WriteImage(changed, str(file))


def turn(file: Path, code: str) -> None:
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(file)), code), str(file))


def test_an_ordinary_case(raw: Path) -> None:
    look = seen(raw)
    assert not look.image_problem
    assert look.label_problems == ()
    assert look.spacing_mm == (3.0, 2.0, 1.0)
    assert look.shape == SHAPE
    assert look.orientation == "LPS"
    assert look.values == {0.0, 1.0}
    assert len(look.ranges) == len(look.foreground) == 2
    assert all(4 < sample.mean() < 6 for sample in look.foreground)


def test_a_case_without_a_label(raw: Path) -> None:
    look = seen(raw, 1)
    assert len(look.ranges) == 2
    assert (look.values, look.foreground, look.label_problems) == (frozenset(), (), ())


def test_what_nobody_has_annotated_is_not_foreground(raw: Path) -> None:
    """The ignore label has the highest number: nnU-Net's fingerprint counts it, and says so nowhere."""
    expected = seen(raw).foreground
    change(raw / "labelsTr/case_0.nii.gz", lambda voxels: np.where(voxels == 0, 2, voxels))
    values = LabelValues.of(about(("T1", "T2")) | {"labels": {"background": 0, "organ": 1, "ignore": 2}})
    (case, _) = read_cases(raw, hide_labels=False)
    look = look_at(case, SimpleITKIO(), 2, values)
    assert [np.median(one) for one in look.foreground] == [np.median(one) for one in expected]


def test_intensities_are_those_of_the_image(raw: Path) -> None:
    voxels = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    change(raw / "imagesTr/case_0_0001.nii.gz", lambda _: voxels)
    lowest, low, high, highest = seen(raw).ranges[1]
    assert (lowest, highest) == (0, voxels.max())
    assert low == pytest.approx(0.005 * voxels.max())
    assert high == pytest.approx(0.995 * voxels.max())


def test_an_empty_rim_does_not_count(raw: Path) -> None:
    def without_rim(voxels: Any) -> Any:
        voxels[:5] = 0
        return voxels

    for channel in range(2):
        change(raw / f"imagesTr/case_0_{channel:04d}.nii.gz", without_rim)
    assert seen(raw).shape == (11, 18, 20)


def test_a_damaged_image_is_told_and_not_raised(raw: Path) -> None:
    file = raw / "imagesTr/case_0_0001.nii.gz"
    file.write_bytes(file.read_bytes()[:300])
    look = seen(raw)
    assert "case_0_0001.nii.gz: damaged or cut short" in look.image_problem
    assert look.ranges == ()


def test_a_label_beside_its_image_keeps_its_values(raw: Path) -> None:
    change(raw / "labelsTr/case_0.nii.gz", lambda voxels: voxels[:-1] * 7)
    look = seen(raw)
    assert len(look.label_problems) == 2
    assert look.values == {0.0, 7.0}
    assert look.foreground == ()


@pytest.mark.parametrize("reader", [SimpleITKIO(), NibabelIO()])
def test_a_label_of_another_origin_can_be_used_and_of_another_spacing_not(raw: Path, reader: Any) -> None:
    file = raw / "labelsTr" / "case_0.nii.gz"
    label = SimpleITK.ReadImage(str(file))
    label.SetOrigin((5, 0, 0))
    SimpleITK.WriteImage(label, str(file))
    look = seen(raw, reader=reader)
    assert look.label_problems == ()
    assert look.label_shift.startswith("the ")
    label.SetSpacing((1, 1, 1))
    SimpleITK.WriteImage(label, str(file))
    (problem,) = seen(raw, reader=reader).label_problems
    assert problem.startswith("the voxel spacing is")


def test_a_damaged_label_is_told_and_not_raised(raw: Path) -> None:
    (raw / "labelsTr/case_0.nii.gz").write_bytes(b"")
    look = seen(raw)
    assert "case_0.nii.gz" in look.label_problems[0]
    assert not look.image_problem


def test_an_empty_label_is_no_problem_by_itself(raw: Path) -> None:
    change(raw / "labelsTr/case_0.nii.gz", lambda voxels: voxels * 0)
    look = seen(raw)
    assert look.label_problems == ()
    assert look.values == {0.0}
    assert look.foreground == ()


@pytest.mark.parametrize("code", ["LPS", "RAS", "PIR"])
@pytest.mark.parametrize("reader", [SimpleITKIO, NibabelIO])
def test_readers_agree_on_where_axes_point_to(raw: Path, code: str, reader: Any) -> None:
    for channel in range(2):
        turn(raw / f"imagesTr/case_1_{channel:04d}.nii.gz", code)
    assert seen(raw, 1, reader()).orientation == code


@pytest.mark.parametrize("code", ["LPS", "PIR"])
def test_a_reader_that_turns_makes_all_alike(raw: Path, code: str) -> None:
    for channel in range(2):
        turn(raw / f"imagesTr/case_1_{channel:04d}.nii.gz", code)
    assert seen(raw, 1, NibabelIOWithReorient()).orientation == "RAS"


def test_flat_pictures_point_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "flat_0000.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.eye(9, dtype=np.float32)), str(file))
    look = look_at(Case("flat", (file,), file, False), SimpleITKIO(), 1, LabelValues.of(about()))
    assert not look.image_problem
    assert look.orientation == ""
