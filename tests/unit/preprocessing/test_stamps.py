"""A file counts as the same by its size and times, and else by its content."""

import os

import pytest

from nnunet_slpt.errors import FileError
from nnunet_slpt.preprocessing import stamps
from nnunet_slpt.preprocessing.stamps import Stamp, renewed


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"content")
    return file


def test_an_untouched_file_is_not_read(file, monkeypatch):
    stamp = Stamp.of(file)
    monkeypatch.setattr(stamps, "hash_of", lambda _: pytest.fail("read"))
    assert stamp.renewed(file) is stamp


def test_a_copy_is_the_same_with_other_times(file):
    stamp = Stamp.of(file)
    os.utime(file, ns=(1, 1))
    again = stamp.renewed(file)
    assert again is not None
    assert again != stamp
    assert again.sha256 == stamp.sha256
    assert again.renewed(file) is again


def test_other_content_of_the_same_size_and_time(file):
    stamp = Stamp.of(file)
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(stamp.modified_ns, stamp.modified_ns))
    assert stamp.renewed(file) is None


def test_a_missing_file(file):
    stamp = Stamp.of(file)
    file.unlink()
    assert stamp.renewed(file) is None
    with pytest.raises(FileError, match="missing"):
        Stamp.of(file)


def test_several_files_fit_together_or_not_at_all(file, tmp_path):
    seen = {"a": Stamp.of(file)}
    assert renewed(seen, {"a": file}) == seen
    assert renewed(seen, {"a": file, "b": file}) is None
    assert renewed(seen, {"b": file}) is None
    assert renewed({**seen, "b": Stamp.of(file)}, {"a": file, "b": tmp_path / "absent"}) is None
