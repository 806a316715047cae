"""Files that are there whole or not at all, their backups, and the lock."""

import errno
import hashlib
import json
import os
import resource
import stat
from contextlib import contextmanager

import pytest

from nnunet_slpt import files
from nnunet_slpt.errors import FileError


@contextmanager
def largest_file(size):
    """As on a disk with room for so many bytes; the system refuses more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refuse(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_it_writes_what_it_is_given(tmp_path):
    files.write_bytes(tmp_path / "a", b"\0\xff")
    files.write_text(tmp_path / "b", "Größe\r\n\n")
    assert (tmp_path / "a").read_bytes() == b"\0\xff"
    assert (tmp_path / "b").read_bytes() == "Größe\r\n\n".encode()
    assert len(list(tmp_path.iterdir())) == 2


def test_its_folder_is_made(tmp_path):
    files.write_bytes(tmp_path / "new" / "newer" / "a", b"1")
    assert (tmp_path / "new" / "newer" / "a").read_bytes() == b"1"


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"file/new/a cannot be written.*Look at"):
        files.write_bytes(tmp_path / "file" / "new" / "a", b"1")
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_whoever_is_reading_goes_on_reading_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with (tmp_path / "a").open("rb") as reader:
        files.write_bytes(tmp_path / "a", b"new")
        assert reader.read() == b"old"


def test_json_is_nnunets(tmp_path):
    value = [{"val": ["ä b"], "train": [1.5, None]}]
    files.write_json(tmp_path / "a.json", value)
    assert (tmp_path / "a.json").read_text() == json.dumps(value, indent=4)


def test_json_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", [float("nan")])
    assert not list(tmp_path.iterdir())


def test_a_file_name_that_is_no_utf8_goes_out_as_it_came_in(tmp_path):
    files.write_text(tmp_path / "a", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "a").read_bytes() == b"caf\xe9"


def test_others_may_read_it_as_any_new_file_or_as_the_one_before(tmp_path):
    new, old, other = tmp_path / "new", tmp_path / "old", tmp_path / "other"
    other.touch()
    old.touch()
    old.chmod(0o660)
    for file in (new, old):
        files.write_bytes(file, b"1")
    assert new.stat().st_mode == other.stat().st_mode
    assert stat.S_IMODE(old.stat().st_mode) == 0o660


def test_a_shared_drive_may_not_let_permissions_be_changed(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    for content in (b"1", b"2"):
        files.write_bytes(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == b"2"


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "a b.json"
    files.write_bytes(file, b"old")
    with largest_file(10), pytest.raises(FileError, match=r"a b\.json cannot be written.*Make room"):
        files.write_bytes(file, 1000 * b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "Make room"),
        (errno.EROFS, "Allow"),
        (errno.EIO, "Look at"),
    ],
)
def test_the_remedy_fits_the_trouble(tmp_path, monkeypatch, number, remedy):
    monkeypatch.setattr(os, "fsync", refuse(number))
    with pytest.raises(FileError, match=rf"{os.strerror(number)}.*unchanged\. {remedy}"):
        files.write_bytes(tmp_path / "a", b"1")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def synced(tmp_path, monkeypatch):
    """What was made to last, in order: the content of a file, or the names that a folder had then."""
    seen, sync = [], os.fsync

    def spy(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        seen.append({file.name for file in tmp_path.iterdir()} if is_folder else os.pread(handle, 10, 0))
        sync(handle)

    monkeypatch.setattr(os, "fsync", spy)
    return seen


def test_a_file_lasts_before_it_has_its_name_and_then_the_name_does(tmp_path, synced):
    files.write_bytes(tmp_path / "a", b"new")
    assert synced == [b"new", {"a"}]


def test_to_move_and_to_remove_last_too(tmp_path, synced):
    (tmp_path / "a").touch()
    files.move(tmp_path / "a", tmp_path / "b")
    files.remove(tmp_path / "b")
    assert synced == [{"b"}, set()]


def test_a_folder_that_cannot_be_synced_is_no_trouble(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", refuse(errno.EACCES))
    files._sync(tmp_path)


@pytest.mark.parametrize("act", [files.read_bytes, lambda file: files.move(file, file), files.hash_of])
def test_other_trouble_names_the_file(tmp_path, act):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").touch()
    file = tmp_path / "folder" if act is files.hash_of else tmp_path / "absent"
    with pytest.raises(FileError, match=f"{file.name} cannot be"):
        act(file)


def test_a_large_file_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BLOCK_BYTES", 2)
    (tmp_path / "a").write_bytes(b"\0bcde")
    assert list(files.read_blocks(tmp_path / "a")) == [b"\0b", b"cd", b"e"]
    assert files.read_bytes(tmp_path / "a") == b"\0bcde"
    assert files.hash_of(tmp_path / "a") == hashlib.sha256(b"\0bcde").hexdigest()
    assert files.hash_of(tmp_path / "absent") is None


def test_removing_a_folder_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be removed"):
        files.remove(tmp_path)


def test_a_backup_has_the_same_bytes(tmp_path):
    (tmp_path / "a.json").write_bytes(b"old\r\n\xff")
    copy = files.back_up(tmp_path / "a.json", tmp_path / "round 00 ä.json")
    assert copy == tmp_path / "round 00 ä.json"
    assert copy.read_bytes() == b"old\r\n\xff"


def test_an_earlier_backup_is_never_overwritten(tmp_path):
    file, backup = tmp_path / "a.json", tmp_path / "b.json"
    for content in (b"1", b"2", b"3", b"2"):  # the last one is there already
        file.write_bytes(content)
        assert files.back_up(file, backup).read_bytes() == content
    kept = {copy.name: copy.read_bytes() for copy in tmp_path.glob("b*")}
    assert kept == {"b.json": b"1", "b-1.json": b"2", "b-2.json": b"3"}


def test_what_a_killed_write_left_is_removed_and_nothing_else(tmp_path):
    for name in (".a.json.12.part", ".a.json.pending.12.part"):
        (tmp_path / name).touch()
    others = {"a.json", ".a.json", ".b.json.12.part", "a.json.part"}
    for name in others:
        (tmp_path / name).touch()
    files.remove_parts(tmp_path / "a.json")
    assert {file.name for file in tmp_path.iterdir()} == others
    files.remove_parts(tmp_path / "absent" / "a.json")


def test_two_writers_of_one_process_number_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 7)  # as the first process of each of two containers
    file = tmp_path / "a.json"
    with files.written_whole(file) as one, files.written_whole(file) as other:
        one.write_text("one")
        other.write_text("other")
        assert one != other
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text() == "one"  # the last to end


def test_checking_leaves_nothing(tmp_path):
    files.check_writable(tmp_path)
    files.check_writable(tmp_path / "going" / "to be")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file cannot be written to"):
        files.check_writable(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="Allow this user"):
        files.check_writable(tmp_path)


def test_a_full_disk_is_refused(tmp_path):
    with largest_file(0), pytest.raises(FileError, match="Make room"):
        files.check_writable(tmp_path)


def write_half(path):
    with files.written_whole(path) as part:
        part.write_text("half of")
        assert path.stat().st_size > len("half of")
        raise TypeError("killed")


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path):
    file = tmp_path / "checkpoint_final.pth"
    file.write_bytes(b"all of the old content")
    with pytest.raises(TypeError, match="killed"):
        write_half(file)
    assert file.read_bytes() == b"all of the old content"
    assert list(tmp_path.iterdir()) == [file]
