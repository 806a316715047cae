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
