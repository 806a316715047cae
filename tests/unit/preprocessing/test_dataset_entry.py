"""What --write_dataset_entry writes, and what it leaves alone."""

import json
from pathlib import Path

import pytest
from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

from nnunet_slpt.datasets import read_cases
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.preprocessing.dataset_entry import check_entry, write_dataset_entry


@pytest.fixture
def write(desk):
    def write():
        content = json.loads((desk.raw / "dataset.json").read_text())
        cases = [case for case in read_cases(desk.raw, hide_labels=False) if case.labelled]
        return write_dataset_entry(desk.raw, content, cases, desk.home / "before.json", desk.said.append)

    return write


def test_nnunet_reads_the_labelled_cases_from_it(desk, write):
    write()
    found = get_filenames_of_train_images_and_targets(str(desk.raw))
    assert list(found) == ["case_1", "case_10", "case_2"]
    assert all(Path(file).is_file() for case in found.values() for file in (*case["images"], case["label"]))


def test_again_changes_nothing(desk, write):
    write()
    before = (desk.raw / "dataset.json").stat().st_mtime_ns
    desk.said.clear()
    write()
    assert (desk.raw / "dataset.json").stat().st_mtime_ns == before
    assert desk.said == []


def test_what_was_listed_stays_as_it_was_written(desk, write, monkeypatch):
    monkeypatch.setenv("SCANS", str(desk.raw))
    mine = {"images": ["$SCANS/imagesTr/case_1_0000.nii.gz"], "label": "$SCANS/labelsTr/case_1.nii.gz"}
    lost = {"images": ["imagesTr/case_3_0000.nii.gz"], "label": "labelsTr/case_3.nii.gz"}
    desk.change(desk.raw / "dataset.json", dataset={"case_1": mine, "case_3": lost})
    entry = write()["dataset"]
    assert entry.keys() == {"case_1", "case_10", "case_2"}
    assert entry["case_1"] == mine


def test_a_case_without_a_label_that_only_the_entry_knows_is_not_lost(desk):
    elsewhere = desk.raw / "scans" / "case_3_0000.nii.gz"
    elsewhere.parent.mkdir()
    (desk.raw / "imagesTr" / "case_3_0000.nii.gz").rename(elsewhere)
    listed = {"images": ["scans/case_3_0000.nii.gz"], "label": "labelsTr/case_3.nii.gz"}
    desk.change(desk.raw / "dataset.json", dataset={"case_3": listed})
    with pytest.raises(DatasetError, match=r"1 without a label are known by that entry .* only: case_3"):
        check_entry(desk.raw, read_cases(desk.raw, hide_labels=False))
    elsewhere.rename(desk.raw / "imagesTr" / "case_3_0000.nii.gz")
    desk.change(desk.raw / "dataset.json", dataset={})
    check_entry(desk.raw, read_cases(desk.raw, hide_labels=False))
