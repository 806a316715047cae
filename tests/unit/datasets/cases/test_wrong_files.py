"""Files that nnU-Net would stumble over, or overlook, are named."""

import os
import re

import pytest

from nnunet_slpt.datasets.cases import read_cases
from nnunet_slpt.errors import DatasetError


def test_no_folder_of_images_is_refused(tiny, folder):
    os.rename(folder / "imagesTr", folder / "images")
    assert re.search(r"imagesTr does not exist, expected NAME_0000\.nii\.gz", tiny.refused())


def test_an_empty_folder_of_images_is_refused(tiny, folder):
    for file in (folder / "imagesTr").iterdir():
        file.unlink()
    assert "imagesTr has no images" in tiny.refused()


def test_a_missing_channel_is_named(tiny):
    tiny.describe(channels=2)
    tiny.touch("imagesTr/a_0001.nii.gz")
    words = "1 missing image files: b_0001.nii.gz. Expected NAME_0000.nii.gz and so on, one for each of the 2"
    assert words in tiny.refused()


def test_a_case_without_all_channels_comes_if_it_is_asked_for(tiny, folder):
    tiny.describe(channels=2, dataset={"c": {"images": ["c_0.nii.gz", "c_1.nii.gz"], "label": "c.nii.gz"}})
    tiny.touch("imagesTr/a_0001.nii.gz", "c_0.nii.gz")
    cases = read_cases(folder, hide_labels=False, incomplete=True)
    lacks = {case.name: case.lacks for case in cases}
    assert lacks == {"a": (), "b": ("b_0001.nii.gz",), "c": (f"{folder / 'c_1.nii.gz'}, listed for c",)}
    tiny.touch("imagesTr/b_0002.nii.gz")
    with pytest.raises(DatasetError, match="1 superfluous image files"):
        read_cases(folder, hide_labels=False, incomplete=True)


def test_a_first_channel_may_be_the_missing_one(tiny):
    tiny.touch("imagesTr/c_0001.nii.gz")
    message = tiny.refused()
    assert "1 missing image files: c_0000.nii.gz." in message
    assert "1 superfluous image files: c_0001.nii.gz." in message


def test_a_superfluous_channel_is_named(tiny):
    tiny.touch("imagesTr/b_0001.nii.gz")
    assert "1 superfluous image files: b_0001.nii.gz. Expected 1 for a case" in tiny.refused()


def test_of_many_the_first_are_named_and_all_counted(tiny):
    tiny.describe(channels=2)
    tiny.touch(*(f"imagesTr/c{number}_0001.nii.gz" for number in range(8)))
    tiny.touch(*(f"labelsTr/d{number}.nii.gz" for number in range(7)))
    message = tiny.refused()
    assert "10 missing image files: a_0001.nii.gz, b_0001.nii.gz, c0_0000.nii.gz, c1_0000.nii.gz, " in message
    assert "c2_0000.nii.gz and 5 more." in message
    assert (
        "7 labels without an image: d0.nii.gz, d1.nii.gz, d2.nii.gz, d3.nii.gz, d4.nii.gz and 2 more."
        in message
    )


@pytest.mark.parametrize("other", [".nii", ".nrrd", ".NII", ".png"])
def test_two_files_for_one_case_are_refused(tiny, other):
    tiny.touch(f"imagesTr/a_0000{other}")
    assert f"1 two files for one case: a_0000.nii.gz and a_0000{other}." in tiny.refused()


def test_an_image_with_another_ending_is_named(tiny):
    tiny.touch("imagesTr/c_0000.nii")
    assert "1 files with another ending than dataset.json's file_ending: c_0000.nii." in tiny.refused()


def test_if_all_images_have_another_ending_it_is_told(tiny):
    tiny.describe(ending=".nrrd")
    assert "2 files with another ending than dataset.json's file_ending: a_0000.nii.gz, b" in tiny.refused(
        True
    )


@pytest.mark.parametrize(
    "name", ["c.nii.gz", "c_000.nii.gz", "c_00000.nii.gz", "_0000.nii.gz", "c_\u0660000.nii.gz"]
)
def test_an_image_without_a_channel_number_is_named(tiny, name):
    tiny.touch(f"imagesTr/{name}")
    assert f"1 image files without a channel number: {name}." in tiny.refused()


def test_a_label_without_an_image_is_named(tiny, folder):
    tiny.touch("labelsTr/c.nii.gz", "labelsTr/a_0000.nii.gz", "labelsTr/c.json")
    assert (
        "2 labels without an image: a_0000.nii.gz, c.nii.gz. Expected labelsTr/NAME.nii.gz" in tiny.refused()
    )
    assert len(read_cases(folder, hide_labels=True)) == 2


def test_a_label_with_another_ending_is_named(tiny):
    tiny.touch("labelsTr/b.nrrd")
    assert (
        "another ending than dataset.json's file_ending: labelsTr/b.nrrd. Expected .nii.gz" in tiny.refused()
    )


def test_a_picture_beside_a_label_does_no_harm(tiny, folder):
    tiny.touch("labelsTr/a.png", "labelsTr/overview.png")
    assert len(read_cases(folder, hide_labels=False)) == 2


@pytest.mark.parametrize("place", ["imagesTr/c_0000.nii.gz", "labelsTr/b.nii.gz"])
def test_a_link_to_nowhere_is_named(tiny, folder, place):
    (folder / place).symlink_to(folder / "absent.nii.gz")
    assert f"1 links to nowhere: {place}. Expected files; fetch" in tiny.refused()


def test_a_name_that_nnunet_keeps_for_segmentations_is_refused(tiny):
    tiny.touch("imagesTr/a_seg_0000.nii.gz")
    assert "1 names of cases that end in _seg: a_seg. nnU-Net keeps NAME_seg" in tiny.refused()
