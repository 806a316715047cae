"""``nnunet_slpt_collect`` as annotators use it: what comes in, what is refused, and that nothing is lost."""

import json
import os
import shutil
import stat

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt import files
from nnunet_slpt.selection.handover import collect as collecting


def test_finished_labels_go_into_the_dataset_byte_for_byte(clinic, capsys):
    brought = [clinic.bring(case) for case in "abc"]
    (clinic.inbox / "notes.txt").write_text("case b was hard")
    assert clinic.collect() == 0
    assert clinic.there() == ["a", "b", "c"]
    for file in brought:
        assert (clinic.labels / file.name).read_bytes() == file.read_bytes()
    assert "3 taken; 0 chosen cases wait" in capsys.readouterr().out


def _float_with_fractions(clinic):
    clinic.bring("a", clinic.drawn("a", np.float32) * 0.7)


def _cut_short(clinic):
    file = clinic.bring("a")
    file.write_bytes(file.read_bytes()[:60])


def _twice(clinic):
    clinic.bring("a")
    clinic.bring("a", ending=".mha")


def _copy_of_another(clinic):
    clinic.bring("a", clinic.drawn("d"))
    shutil.copy(clinic.bring("d", folder=clinic.inbox), clinic.labels)
    (clinic.inbox / "d.nii.gz").unlink()


def _copy_in_the_inbox(clinic):
    clinic.bring("a", clinic.drawn("c"))
    clinic.bring("c")


def _dangling_link(clinic):
    (clinic.inbox / "a.nii.gz").symlink_to(clinic.inbox / "gone.nii.gz")


WRONG = {
    "dangling_link": (_dangling_link, "it is a link to a file that is not there"),
    "size": (
        lambda clinic: clinic.bring("a", clinic.drawn("a")[1:]),
        "the shape is 5, 7, 8, expected 6, 7, 8",
    ),
    "spacing": (lambda clinic: clinic.bring("a", spacing=(1, 1, 1)), "the voxel spacing is 1, 1, 1"),
    "origin": (lambda clinic: clinic.bring("a", origin=(0, 0, 0)), "the origin is 0, 0, 0, expected -10, 20"),
    "fractions": (_float_with_fractions, "hold fractions (0.7, 1.4)"),
    "unknown_value": (lambda clinic: clinic.bring("a", clinic.drawn("a") * 4), "unknown values (4, 8)"),
    "empty": (lambda clinic: clinic.bring("a", clinic.drawn("a") * 0), "--allow_empty"),
    "cut_short": (_cut_short, "cut short"),
    "unknown_case": (lambda clinic: clinic.bring("a_0000", clinic.drawn("a")), "has no case 'a_0000'"),
    "ending": (
        lambda clinic: clinic.bring("a", clinic.drawn("a")[0], ".png", spacing=(1, 1), origin=(0, 0)),
        ".mha",
    ),
    "nii": (
        lambda clinic: clinic.bring("a", ending=".nii"),
        "does not read .nii. Expected .nii.gz, .nrrd, .mha, .gipl. Export it again so, or convert it, in "
        "Python: "
        "SimpleITK.WriteImage(SimpleITK.ReadImage('a.nii'), 'a.nii.gz')",
    ),
    "twice": (_twice, "is the same case"),
    "copy_of_a_label": (_copy_of_another, "equals the label of d"),
    "copy_in_the_inbox": (_copy_in_the_inbox, "equals the label of c"),
}


@pytest.mark.parametrize(("prepare", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_and_the_rest_is_taken(clinic, capsys, prepare, words):
    prepare(clinic)
    clinic.bring("b")
    assert clinic.collect() == 1
    assert words in capsys.readouterr().err
    assert "b" in clinic.there()
    assert "a" not in clinic.there()


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(clinic, capsys, monkeypatch):
    refused, hash_of = clinic.bring("a"), files.hash_of

    def hash_or_refuse(file):
        if file == refused:
            raise files.file_error("read", file, PermissionError(13, "Permission denied"))
        return hash_of(file)

    monkeypatch.setattr(files, "hash_of", hash_or_refuse)
    clinic.bring("b")
    assert clinic.collect() == 1
    assert "Permission denied" in capsys.readouterr().err
    assert clinic.there() == ["b"]


def test_nothing_can_be_done(clinic, make_clinic, capsys):
    assert clinic.collect() == 2
    assert "has no labels" in capsys.readouterr().err
    assert clinic.collect(folder=clinic.inbox / "absent") == 2
    clinic.bring("a", spacing=(1, 1, 1))
    assert clinic.collect() == 2
    assert clinic.there() == []


def test_hidden_labels_are_there_already(make_clinic, capsys):
    clinic = make_clinic(mode="hide_labels")
    clinic.bring("a")
    assert clinic.collect() == 2
    assert "--hide_labels" in capsys.readouterr().err


def test_an_empty_label_on_request(clinic):
    clinic.bring("a", clinic.drawn("a") * 0)
    clinic.bring("b", clinic.drawn("b") * 0)  # equal, and no copy
    assert clinic.collect("--allow_empty") == 0
    assert clinic.there() == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "ending"), [(np.float64, ".nii.gz"), (np.uint8, ".nrrd"), (np.int32, ".mha")]
)
def test_whole_numbers_in_another_dress_are_converted(clinic, capsys, kind, ending):
    clinic.bring("a", clinic.drawn("a", kind), ending)
    assert clinic.collect() == 0
    assert "converted to whole numbers in .nii.gz" in capsys.readouterr().out
    stored = SimpleITK.ReadImage(str(clinic.labels / "a.nii.gz"))
    image = SimpleITK.ReadImage(str(clinic.raw / "imagesTr" / "a_0000.nii.gz"))
    assert stored.GetPixelID() == SimpleITK.sitkUInt8
    assert (stored.GetOrigin(), stored.GetSpacing()) == (image.GetOrigin(), image.GetSpacing())
    np.testing.assert_array_equal(clinic.label("a"), clinic.drawn("a"))


def test_a_dataset_in_another_format(make_clinic):
    clinic = make_clinic(ending=".nrrd")
    clinic.bring("a", ending=".nii.gz")
    assert clinic.collect() == 0
    np.testing.assert_array_equal(clinic.label("a"), clinic.drawn("a"))


def test_a_label_that_is_there_is_never_lost(clinic, capsys):
    first = clinic.bring("a").read_bytes()
    assert clinic.collect() == 0
    clinic.bring("a", np.flip(clinic.drawn("a")))
    assert clinic.collect() == 2
    assert "is there already, with other voxels" in capsys.readouterr().err
    np.testing.assert_array_equal(clinic.label("a"), clinic.drawn("a"))
    assert clinic.collect("--overwrite") == 0
    second = (clinic.labels / "a.nii.gz").read_bytes()
    clinic.bring("a", clinic.drawn("d"))
    assert clinic.collect("--overwrite") == 0
    kept = sorted((clinic.raw / "labelsTr_replaced").rglob("*.nii.gz"))
    assert [file.read_bytes() for file in kept] == [first, second]


def test_the_same_folder_again(clinic, capsys):
    for case in "ab":
        clinic.bring(case)
    assert clinic.collect() == 0
    before = {file: file.stat().st_mtime_ns for file in clinic.labels.iterdir()}
    clinic.bring("c")
    assert clinic.collect("--overwrite") == 0
    assert "1 taken, 2 there already" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in before} == before
    assert not (clinic.raw / "labelsTr_replaced").exists()


def test_a_copy_of_a_label_that_is_there_already(clinic, capsys):
    clinic.bring("a")
    assert clinic.collect() == 0
    clinic.bring("b", clinic.drawn("a"))
    assert clinic.collect("--overwrite") == 1
    assert "equals the label of a" in capsys.readouterr().err
    assert clinic.there() == ["a"]


def test_the_same_voxels_in_the_right_place_replace_those_in_another(clinic, capsys):
    clinic.write(clinic.labels / "a.nii.gz", clinic.drawn("a"), origin=(0.0, 0.0, 0.0))
    clinic.bring("a")
    assert clinic.collect() == 2
    assert "with other voxels or in another place" in capsys.readouterr().err
    assert clinic.collect("--overwrite") == 0
    assert "1 taken" in capsys.readouterr().out
    assert SimpleITK.ReadImage(str(clinic.labels / "a.nii.gz")).GetOrigin() == pytest.approx((-10, 20, 30))


def test_a_case_that_no_round_chose(clinic, capsys):
    clinic.bring("d")
    assert clinic.collect() == 0
    assert "no round chose this case" in capsys.readouterr().out
    assert clinic.there() == ["d"]


def test_a_chosen_case_that_is_gone_is_not_waited_for(clinic, capsys):
    (clinic.raw / "imagesTr" / "c_0000.nii.gz").unlink()
    clinic.bring("a")
    assert clinic.collect("--json") == 0
    assert json.loads(capsys.readouterr().out)["waiting"] == ["b"]


def test_a_dry_run_writes_nothing(clinic, capsys):
    clinic.bring("a")
    before = sorted(clinic.raw.parents[1].rglob("*"))
    assert clinic.collect("--dry_run") == 0
    assert sorted(clinic.raw.parents[1].rglob("*")) == before
    assert "1 taken" in capsys.readouterr().out


def test_a_full_disk_leaves_whole_labels_and_the_next_call_goes_on(clinic, monkeypatch, capsys):
    for case in "abc":
        clinic.bring(case)
    real, written = os.fsync, []

    def full(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode):
            written.append(handle)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        assert clinic.collect() == 2
    assert "Make room" in capsys.readouterr().err
    assert clinic.there() == ["a"]
    assert clinic.collect() == 0
    assert clinic.there() == ["a", "b", "c"]


def test_a_file_that_changes_while_it_is_looked_at(clinic, monkeypatch, capsys):
    file = clinic.bring("a")
    marks = collecting.mark_duplicates
    monkeypatch.setattr(
        collecting, "mark_duplicates", lambda *found: marks(*found) or file.write_bytes(b"half")
    )
    assert clinic.collect() == 2
    assert "was changed while" in capsys.readouterr().err
    assert clinic.there() == []


def test_equal_labels_of_one_class_alone_are_no_copies(clinic):
    for case in "ab":
        clinic.bring(case, np.ones((6, 7, 8), np.uint8))
    assert clinic.collect() == 0
    assert clinic.there() == ["a", "b"]
