"""Pre-labels and what annotators made of them: how much was changed, and which of them nobody has begun."""

import json
import shutil

import numpy as np
import pytest


def test_effort(clinic, capsys):
    nearly = clinic.drawn("a")
    nearly[2, 3, 3] = 1
    clinic.prelabel("a", nearly)
    clinic.prelabel("b", clinic.drawn("b"))
    clinic.bring("a")
    clinic.bring("b", clinic.drawn("b", np.int16))  # saved, and nothing changed
    assert clinic.collect("--json") == 0
    told = json.loads(capsys.readouterr().out)
    efforts = {one["case"]: one["effort"] for one in told["files"]}
    voxels = int(np.count_nonzero(nearly))
    assert efforts["a"]["changed_voxels"] == 1
    assert efforts["a"]["dice"] == {"organ": pytest.approx(2 * (voxels - 1) / (2 * voxels - 1)), "lesion": 0}
    assert told["summary"]["changed_voxels"] == 1
    assert told["waiting"] == ["c"]
    assert [one["warnings"] for one in told["files"]] == [[], ["not edited, it is the pre-label"]]
    clinic.bring("c")
    assert clinic.collect() == 0
    assert sorted(clinic.report()["cases"]) == ["a", "b", "c"]
    assert clinic.report()["summary"] == told["summary"]


def test_prelabels_corrected_where_they_lie(clinic, capsys):
    for case in "ab":
        clinic.prelabel(case, np.flip(clinic.drawn(case)))
    (clinic.opened / "a_uncertainty.nii.gz").write_bytes(b"ours")
    clinic.bring("a", folder=clinic.opened)
    assert clinic.collect("--overwrite", folder=clinic.opened) == 0
    assert "1 taken, 1 not begun" in capsys.readouterr().out
    assert clinic.there() == ["a"]
    np.testing.assert_array_equal(clinic.label("a"), clinic.drawn("a"))


def test_each_annotator_has_a_copy_of_all_prelabels(clinic, capsys):
    """What one has drawn is not replaced by what the other was given and did not open."""
    for case in "abc":
        clinic.prelabel(case, np.flip(clinic.drawn(case)))
    copies = [clinic.inbox.with_name(name) for name in ("first", "second")]
    for copy, drawn in zip(copies, ("ab", "c"), strict=True):
        shutil.copytree(clinic.opened, copy)
        for case in drawn:
            clinic.bring(case, folder=copy)
    assert clinic.collect(folder=copies[0]) == 0
    assert "2 taken, 1 not begun; 1 chosen cases wait" in capsys.readouterr().out
    assert clinic.collect("--overwrite", "--as_predicted", folder=copies[1]) == 0
    out = capsys.readouterr().out
    assert "1 taken, 2 not begun; 0 chosen cases wait" in out
    assert "still as it was predicted; the label that is there stays" in out
    for case in "abc":
        np.testing.assert_array_equal(clinic.label(case), clinic.drawn(case))


def test_a_prelabel_that_is_right_as_it_is(clinic, capsys):
    clinic.prelabel("a", clinic.drawn("a"))
    assert clinic.collect(folder=clinic.opened) == 0
    assert "still as it was predicted; if it is right so: --as_predicted" in capsys.readouterr().out
    assert clinic.there() == []
    assert clinic.collect("--as_predicted", folder=clinic.opened) == 0
    assert "not edited, it is the pre-label" in capsys.readouterr().out
    assert clinic.there() == ["a"]


def test_what_another_model_predicted_before_is_no_annotators_work(clinic, capsys):
    clinic.prelabel("a", clinic.drawn("b"))
    clinic.bring("a", clinic.drawn("c"), folder=clinic.predicted / "earlier" / "00")
    clinic.bring("a", clinic.drawn("c"))  # from a copy of the folder, made in time
    assert clinic.collect() == 0
    assert "not begun" in capsys.readouterr().out
    clinic.bring("a", clinic.drawn("c", np.int16))  # saved
    assert clinic.collect("--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert told["warnings"] == ["not edited, it is the pre-label"]
    assert told["effort"]["changed_voxels"] == 0


def test_the_annotators_folder_of_a_round_that_was_taken_back(clinic, capsys):
    for case in "ab":
        clinic.prelabel(case, np.flip(clinic.drawn(case)))
    clinic.bring("a", folder=clinic.opened)
    clinic.store.undo()
    assert clinic.collect("--json", folder=clinic.home / "undone_00_round_00_to_annotate") == 0
    told = json.loads(capsys.readouterr().out)["files"]
    assert [one["outcome"] for one in told] == ["taken", "not begun"]
    assert told[0]["effort"]["changed_voxels"] > 0


def test_a_run_killed_between_the_two_copies_leaves_no_annotators_work(clinic, capsys):
    clinic.prelabel("a", clinic.drawn("b"))
    (clinic.predicted / "earlier" / "00").mkdir(parents=True)
    (clinic.predicted / "a.nii.gz").rename(clinic.predicted / "earlier" / "00" / "a.nii.gz")
    clinic.bring("a", clinic.drawn("c"), folder=clinic.predicted)  # and not yet in their folder
    assert clinic.collect(folder=clinic.opened) == 0
    assert "1 not begun" in capsys.readouterr().out
