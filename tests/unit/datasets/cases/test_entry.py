"""Cases that dataset.json lists in its entry ``dataset``."""

import re

import pytest

from nnunet_slpt.datasets.cases import Case, read_cases


@pytest.fixture
def entry(tiny):
    """Lists a, and e which lies elsewhere; b lies in imagesTr alone."""
    elsewhere = tiny.folder.parent / "elsewhere"
    tiny.touch(elsewhere / "scan.nii.gz", elsewhere / "mask.nii.gz")
    return {
        "a": {"images": ["imagesTr/a_0000.nii.gz"], "label": "labelsTr/a.nii.gz"},
        "e": {"images": [str(elsewhere / "scan.nii.gz")], "label": "../elsewhere/mask.nii.gz"},
    }


def test_listed_cases_come_with_those_that_are_not_listed(tiny, folder, entry):
    tiny.describe(dataset=entry)
    elsewhere = folder.parent / "elsewhere"
    assert read_cases(folder, hide_labels=False) == [
        Case("a", (folder / "imagesTr/a_0000.nii.gz",), folder / "labelsTr/a.nii.gz", True),
        Case("b", (folder / "imagesTr/b_0000.nii.gz",), folder / "labelsTr/b.nii.gz", False),
        Case("e", (elsewhere / "scan.nii.gz",), elsewhere / "mask.nii.gz", True),
    ]


def test_listed_cases_need_no_folder_of_images(tiny, folder, entry):
    del entry["a"]
    (folder / "imagesTr/a_0000.nii.gz").unlink()
    (folder / "imagesTr/b_0000.nii.gz").unlink()
    (folder / "imagesTr").rmdir()
    (folder / "labelsTr/a.nii.gz").unlink()
    tiny.describe(dataset=entry)
    assert [case.name for case in read_cases(folder, hide_labels=False)] == ["e"]


def test_an_image_that_is_listed_under_another_name_is_one_case(tiny, folder, entry):
    entry["first patient"] = entry.pop("a")
    tiny.describe(dataset=entry)
    assert [case.name for case in read_cases(folder, hide_labels=False)] == ["b", "e", "first patient"]


def test_paths_may_lead_over_links_and_variables(tiny, folder, entry, monkeypatch):
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.setenv("HERE", str(folder.parent / "link"))
    entry["a"] = {"images": ["$HERE/imagesTr/a_0000.nii.gz"], "label": "${HERE}/labelsTr/a.nii.gz"}
    tiny.describe(dataset=entry)
    assert [(case.name, case.labelled) for case in read_cases(folder, hide_labels=False)] == [
        ("a", True),
        ("b", False),
        ("e", True),
    ]


def test_the_dataset_may_itself_be_a_link(tiny, folder):
    # Absolute paths in dataset.json then do not begin with the folder's.
    tiny.touch("imagesTr/scan.nii.gz", "labelsTr/mask.nii.gz")
    paths = {"images": [str(folder / "imagesTr/scan.nii.gz")], "label": str(folder / "labelsTr/mask.nii.gz")}
    tiny.describe(dataset={"e": paths})
    (folder.parent / "link").symlink_to(folder)
    cases = read_cases(folder.parent / "link", hide_labels=False)
    assert [(case.name, case.labelled) for case in cases] == [("a", True), ("b", False), ("e", True)]


def test_a_listed_case_without_its_label_file_is_not_labelled(tiny, folder, entry):
    (folder / "labelsTr/a.nii.gz").unlink()
    tiny.describe(dataset=entry)
    assert [case.labelled for case in read_cases(folder, hide_labels=False)] == [False, False, True]


def test_a_listed_case_that_has_another_file_in_the_folder_is_refused(tiny, entry):
    tiny.touch("imagesTr/e_0000.nii.gz")
    tiny.describe(dataset=entry)
    words = (
        r"1 two files for one case: e: dataset.json lists \S*scan.nii.gz, but there is \S*e_0000.nii.gz too"
    )
    assert re.search(words, tiny.refused())


def test_a_listed_image_that_is_not_there_is_named(tiny, entry):
    entry["f"] = {"images": ["imagesTr/f_0000.nii.gz"], "label": "labelsTr/f.nii.gz"}
    tiny.describe(dataset=entry)
    assert re.search(r"1 missing image files: \S*imagesTr/f_0000.nii.gz, listed for f\.", tiny.refused())


def test_an_image_that_is_listed_twice_is_refused(tiny, entry):
    entry["f"] = entry["e"]
    tiny.describe(dataset=entry)
    assert re.search(r"two files for one case: \S*scan.nii.gz is listed for e and f\.", tiny.refused())


def test_a_listed_case_with_too_many_channels_is_refused(tiny, entry):
    entry["e"]["images"].append("../elsewhere/mask.nii.gz")
    tiny.describe(dataset=entry)
    assert "1 superfluous image files: mask.nii.gz." in tiny.refused()


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        [],
        {"a": None},
        {"a": {"images": []}},
        {"a": {"images": [], "label": "x"}},
        {"a": {"images": ["x"]}},
        {"a": {"images": ["x"], "label": None}},
        {"a": {"images": "x", "label": "x"}},
        {"a/b": {"images": ["x"], "label": "x"}},
    ],
)
def test_a_malformed_entry_is_refused(tiny, malformed):
    tiny.describe(dataset=malformed)
    assert re.search("entry 'dataset' of .*dataset.json cannot be used. Expected", tiny.refused())
