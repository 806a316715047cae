"""Which cases a dataset has."""

import builtins
import io
import os

import pytest
from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

from nnunet_slpt.datasets.cases import Case, read_cases

ENDINGS = [".nii.gz", ".nii", ".nrrd", ".mha", ".gipl", ".png", ".bmp", ".tif", ".tiff"]


def test_a_case_has_images_and_a_place_for_its_label(folder):
    images, labels = folder / "imagesTr", folder / "labelsTr"
    assert read_cases(folder, hide_labels=False) == [
        Case("a", (images / "a_0000.nii.gz",), labels / "a.nii.gz", True),
        Case("b", (images / "b_0000.nii.gz",), labels / "b.nii.gz", False),
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ENDINGS)
def test_cases_are_those_of_nnunet(empty_dataset, ending, channels):
    names = ["a", "a_0000", "case_1", "über", "with space", "x.y", "B"]
    tiny = empty_dataset(channels, ending)
    for name in names:
        files = [f"imagesTr/{name}_{channel:04d}{ending}" for channel in range(channels)]
        tiny.touch(*files, f"labelsTr/{name}{ending}")
    tiny.touch("imagesTr/a.json", "labelsTr/a.json", "imagesTr/notes.txt", "imagesTr/old/a_0000.nii")
    theirs = get_filenames_of_train_images_and_targets(str(tiny.folder))
    ours = read_cases(tiny.folder, hide_labels=False)
    assert [case.name for case in ours] == sorted(names)
    assert {case.name: ([str(file) for file in case.images], str(case.label)) for case in ours} == {
        name: (case["images"], case["label"]) for name, case in theirs.items()
    }
    assert all(case.labelled for case in ours)


@pytest.mark.parametrize("hide_labels", [False, True])
def test_the_order_of_files_does_not_matter(tiny, folder, monkeypatch, hide_labels):
    tiny.touch(*(f"imagesTr/{name}_0000.nii.gz" for name in "dfce"))
    forward = read_cases(folder, hide_labels)
    names = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: sorted(names(path), reverse=True))
    assert read_cases(folder, hide_labels) == forward
    assert [case.name for case in forward] == list("abcdef")


def test_a_relative_folder_gives_the_same_cases(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert read_cases(type(folder)(folder.name), hide_labels=False) == read_cases(folder, hide_labels=False)


def test_a_file_may_hold_all_channels(tiny, folder):
    tiny.describe(channels=3)
    assert [len(case.images) for case in read_cases(folder, hide_labels=False)] == [1, 1]


def test_nothing_is_written(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    read_cases(folder, hide_labels=False)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.fixture
def guarded(monkeypatch):
    """Whoever opens, lists or looks for anything of a labels folder fails."""

    def guard(function):
        def checked(path=".", *arguments, **options):
            if isinstance(path, str | bytes | os.PathLike) and "labelsTr" in os.fspath(path):
                raise AssertionError(f"{function.__name__} was asked for {path}")
            return function(path, *arguments, **options)

        return checked

    for module, names in (
        (os, ("stat", "lstat", "listdir", "scandir", "open", "access", "readlink")),
        (builtins, ("open",)),
        (io, ("open",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, guard(getattr(module, name)))


@pytest.mark.parametrize("listed", [False, True])
def test_hidden_labels_are_not_looked_for(tiny, folder, guarded, listed):
    expected = Case("a", (folder / "imagesTr/a_0000.nii.gz",), folder / "labelsTr/a.nii.gz", False)
    if listed:
        entry = {"a": {"images": ["imagesTr/a_0000.nii.gz"], "label": "labelsTr/a.nii.gz"}}
        tiny.describe(dataset=entry)
    cases = read_cases(folder, hide_labels=True)
    assert cases[0] == expected
    assert [case.labelled for case in cases] == [False, False]
    with pytest.raises(AssertionError, match="labelsTr"):
        read_cases(folder, hide_labels=False)
