"""The synthetic CT: the same for ever, labelled rightly, and readable as an nnU-Net raw dataset."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from phantom import SyntheticCT, make_case
from scipy import ndimage
from synthetic_ct import main, write_dataset

CASES = range(3)
TINY = SyntheticCT(shape=(16, 40, 40), spacing_mm=(4.0, 2.5, 2.5))


def read(path: Path) -> Any:
    return SimpleITK.ReadImage(str(path))


def test_a_case_depends_on_seed_and_number_alone() -> None:
    image, labels = make_case(1, 2, TINY)
    make_case(1, 3, TINY)
    again, labels_again = make_case(1, 2, TINY)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert (image != make_case(1, 3, TINY)[0]).any()
    assert (image != make_case(2, 2, TINY)[0]).any()


@pytest.mark.parametrize("case", CASES)
def test_image_and_labels_look_like_ct(case: int) -> None:
    image, labels = make_case(0, case)
    assert image.dtype == np.int16
    assert labels.dtype == np.uint8
    assert image.shape == labels.shape == SyntheticCT().shape
    assert (image < -900).mean() > 0.2  # air around the body
    assert image.max() > 300  # bone
    assert 80 < image[labels == 1].mean() < 130
    assert set(np.unique(labels)) == {0, 1, 2}
    assert 0.05 < (labels > 0).mean() < 0.2


@pytest.mark.parametrize("case", CASES)
def test_lesions_lie_inside_one_organ_and_are_darker(case: int) -> None:
    image, labels = make_case(0, case, replace(TINY, faint_share=0.0))
    _, healthy = make_case(0, case, replace(TINY, lesions=(0, 0)))
    np.testing.assert_array_equal(labels > 0, healthy == 1)
    assert ndimage.label(healthy)[1] == 1
    assert np.median(image[labels == 2]) < np.median(image[labels == 1]) - 10


@pytest.mark.parametrize("number", [0, 1, 4])
def test_the_number_of_lesions_can_be_set(number: int) -> None:
    spec = replace(TINY, lesions=(number, number), lesion_radius_mm=(5.0, 6.0))
    assert all(ndimage.label(make_case(0, case, spec)[1] == 2)[1] == number for case in CASES)


def test_a_dataset_reads_back_as_it_was_made(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, 7, "Two", 2, test_cases=1, seed=5, spec=TINY)
    assert folder.name == "Dataset007_Two"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.nii.gz"))
    assert found == [
        "imagesTr/two_000_0000.nii.gz",
        "imagesTr/two_001_0000.nii.gz",
        "imagesTs/two_002_0000.nii.gz",
        "labelsTr/two_000.nii.gz",
        "labelsTr/two_001.nii.gz",
        "labelsTs/two_002.nii.gz",
    ]
    image, labels = make_case(5, 2, TINY)
    scan, truth = read(folder / found[2]), read(folder / found[5])
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(scan), image)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(truth), labels)
    assert scan.GetPixelIDTypeAsString() == "16-bit signed integer"
    for volume in (scan, truth):
        assert volume.GetSpacing() == (2.5, 2.5, 4.0)
        assert volume.GetOrigin() == (-48.75, -48.75, -30.0)
    described = json.loads((folder / "dataset.json").read_text())
    assert described["labels"] == {"background": 0, "organ": 1, "lesion": 2}
    assert (described["numTraining"], described["channel_names"]) == (2, {"0": "CT"})


@pytest.mark.parametrize(("labels", "numbers"), [(["organ"], [0, 1, 1]), (["lesion"], [0, 0, 1])])
def test_what_has_no_label_goes_where_it_belongs(
    tmp_path: Path, labels: list[str], numbers: list[int]
) -> None:
    folder = write_dataset(tmp_path, 1, "One", 1, labels=labels, spec=TINY)
    written = SimpleITK.GetArrayFromImage(read(folder / "labelsTr" / "one_000.nii.gz"))
    np.testing.assert_array_equal(written, np.array(numbers)[make_case(0, 0, TINY)[1]])


def test_the_command_writes_what_the_function_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--shape", "16", "40", "40", "--spacing-mm", "4", "2.5", "2.5"]
    assert (
        main(["--output", str(tmp_path), "--cases", "1", "-d", "3", "--name", "X", "--seed", "9", *size]) == 0
    )
    assert capsys.readouterr().out.strip().endswith("Dataset003_X")
    written = read(tmp_path / "Dataset003_X" / "imagesTr" / "x_000_0000.nii.gz")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written), make_case(9, 0, TINY)[0])


@pytest.mark.parametrize(
    "change",
    [{"shape": (4, 40, 40)}, {"lesions": (3, 1)}, {"lesion_radius_mm": (0.0, 5.0)}, {"faint_share": 1.5}],
)
def test_a_wrong_setting_is_named(change: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        SyntheticCT(**change)  # type: ignore[arg-type]


def test_unknown_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"got \['kidney'\]; expected one or both of"):
        write_dataset(tmp_path, 1, "One", 1, labels=["kidney"])
    assert not any(tmp_path.iterdir())


def test_made_again_with_more_cases_no_test_case_is_left_that_trains_now(tmp_path: Path) -> None:
    for cases in (2, 3):
        folder = write_dataset(tmp_path, 7, "Toy", cases=cases, test_cases=2, labels=["organ"], spec=TINY)
    parts = {part: {file.name for file in (folder / f"labels{part}").iterdir()} for part in ("Tr", "Ts")}
    assert {part: len(names) for part, names in parts.items()} == {"Tr": 3, "Ts": 2}
    assert not parts["Tr"] & parts["Ts"]


def test_a_dataset_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    scan = tmp_path / "Dataset001_One" / "imagesTr" / "scan_0000.nii.gz"
    scan.parent.mkdir(parents=True)
    scan.write_text("precious")
    with pytest.raises(ValueError, match="without a mark that the demo made it"):
        write_dataset(tmp_path, 1, "One", 1, spec=TINY)
    (scan.parents[1] / "dataset.json").write_text('{"description": "ours"}')
    with pytest.raises(ValueError, match="without a mark that the demo made it"):
        write_dataset(tmp_path, 1, "One", 1, spec=TINY)
    assert scan.read_text() == "precious"
