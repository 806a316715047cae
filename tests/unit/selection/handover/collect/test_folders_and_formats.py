"""Labels where nothing can be written, and in another format than the dataset's."""

import errno

from nnunet_slpt import files
from nnunet_slpt.selection.handover import collect as collecting


def test_no_label_is_read_where_none_can_be_written(clinic, monkeypatch, capsys):
    clinic.bring("a")
    real = files.TemporaryFile

    def read_only(**how):  # root may write to any folder
        if how["dir"] == clinic.labels:
            raise OSError(errno.EROFS, "Read-only file system")
        return real(**how)

    monkeypatch.setattr(files, "TemporaryFile", read_only)
    assert clinic.collect("--dry_run") == 0
    monkeypatch.delattr(collecting.Examiner, "examine")
    assert clinic.collect() == 2
    assert f"{clinic.labels} cannot be written to: Read-only" in capsys.readouterr().err


def test_where_nii_is_expected_it_may_be_packed(make_clinic):
    clinic = make_clinic(ending=".nii")
    clinic.bring("a", ending=".nii.gz")
    assert clinic.collect() == 0
    assert clinic.there() == ["a"]
    assert (clinic.label("a") == clinic.drawn("a")).all()


def test_a_name_with_its_umlaut_in_two_parts(make_clinic, monkeypatch):
    whole, parts = "M\u00fcller", "Mu\u0308ller"
    clinic = make_clinic()
    (clinic.raw / "imagesTr/d_0000.nii.gz").rename(clinic.raw / f"imagesTr/{whole}_0000.nii.gz")
    clinic.bring("d").rename(clinic.inbox / f"{parts}.nii.gz")
    assert clinic.collect() == 0
    assert clinic.there() == [whole]


def test_a_label_that_came_in_meanwhile_is_not_replaced_unasked(clinic, monkeypatch, capsys):
    other = clinic.drawn("b")
    real = collecting._check_writable

    def somebody_is_quicker(*arguments):
        real(*arguments)
        clinic.bring("a", other, folder=clinic.labels)

    monkeypatch.setattr(collecting, "_check_writable", somebody_is_quicker)
    clinic.bring("a")
    assert clinic.collect() == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (clinic.label("a") == other).all()


def test_what_comes_with_a_label_is_kept_as_well(clinic, monkeypatch):
    clinic.bring("a", clinic.drawn("b"), folder=clinic.labels)
    (clinic.labels / "a.json").write_text("old spacing")
    monkeypatch.setattr(collecting, "_contents", lambda *_: {"a.json": b"new spacing", "a.nii.gz": b"new"})
    clinic.bring("a")
    assert clinic.collect("--overwrite") == 0
    assert (clinic.labels / "a.json").read_text() == "new spacing"
    assert (clinic.raw / "labelsTr_replaced/00/a.json").read_text() == "old spacing"
