"""The division of a labelled dataset: disjoint, labelled, and the same every time."""

import json
from pathlib import Path

import pytest

from nnunet_slpt.errors import SLPTError
from nnunet_slpt.simulation.source import read_source

CASES = [f"case_{number:02d}" for number in range(10)]


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "raw" / "Dataset007_Toy"
    for part, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        (folder / part).mkdir(parents=True)
        for case in CASES:
            (folder / part / f"{case}{ending}").touch()
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about))
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    return folder


def names(folder: Path, cases: list[str]) -> Path:
    file = folder / f"{len(cases)}_from_{cases[0]}.json"
    file.write_text(json.dumps(cases))
    return file


def test_a_share_is_drawn_once_for_all(raw: Path) -> None:
    source = read_source("7", "30%", None)
    assert len(source.test) == 3
    assert sorted((*source.test, *source.pool)) == CASES
    assert read_source("7", "30%", None) == source


def test_files_name_both_sides(raw: Path, tmp_path: Path) -> None:
    source = read_source("7", str(names(tmp_path, CASES[:3])), names(tmp_path, CASES[5:]))
    assert (list(source.test), list(source.pool)) == (CASES[:3], CASES[5:])


def test_test_cases_are_drawn_from_what_is_not_in_the_pool(raw: Path, tmp_path: Path) -> None:
    source = read_source("7", "50%", names(tmp_path, CASES[4:]))
    assert list(source.pool) == CASES[4:]
    assert len(source.test) == 2
    assert {*source.test} < {*CASES[:4]}
    with pytest.raises(SLPTError, match="no number of the 0 labelled cases that are not in --pool"):
        read_source("7", "20%", names(tmp_path, CASES))


def test_a_case_on_both_sides_is_refused(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(SLPTError, match="1 cases are in the pool and among the test cases: case_02"):
        read_source("7", str(names(tmp_path, CASES[:3])), names(tmp_path, CASES[2:]))


def test_a_case_without_label_is_no_part_of_it_unless_it_is_named(raw: Path, tmp_path: Path) -> None:
    (raw / "labelsTr" / "case_09.nii.gz").unlink()
    assert "case_09" not in read_source("7", "3", None).pool
    with pytest.raises(SLPTError, match="1 cases have no label: case_09"):
        read_source("7", str(names(tmp_path, CASES[:3])), names(tmp_path, CASES[5:]))


@pytest.mark.parametrize(
    ("test", "told"), [("tset.json", "no file of that name"), ("1", r"gives 1 test case\(s\), expected 2")]
)
def test_what_cannot_be_a_test_set_is_refused(raw: Path, test: str, told: str) -> None:
    with pytest.raises(SLPTError, match=told):
        read_source("7", test, None)
