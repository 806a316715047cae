"""One command at a time works on a folder."""

import errno
import signal
import subprocess
import sys

import pytest

from nnunet_slpt import files, lock
from nnunet_slpt.errors import FileError
from nnunet_slpt.lock import exclusive

HOLD = """
import sys, time
from pathlib import Path
from nnunet_slpt.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_may_be_nested_and_is_free_afterwards(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path / "a"), exclusive(tmp_path / "a"):
            pass
    with pytest.raises(KeyError), exclusive(tmp_path / "a"):
        raise KeyError
    with exclusive(tmp_path / "a"):
        assert [file.name for file in (tmp_path / "a").iterdir()] == [".lock"]


def test_another_process_is_refused_at_once_until_the_first_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(FileError, match="Another nnunet_slpt command is running"):
                exclusive(tmp_path).__enter__()
            with exclusive(tmp_path / "another dataset"):
                pass
        finally:
            other.send_signal(signal.SIGKILL)
    with exclusive(tmp_path):
        pass


def test_a_lock_of_another_user_is_named_with_its_owner(tmp_path, monkeypatch):
    def refuse(*arguments, **options):  # root may open any file
        raise PermissionError(errno.EACCES, "Permission denied")

    file = tmp_path / ".lock"
    file.touch()
    monkeypatch.setattr(lock.FileLock, "acquire", refuse)
    with pytest.raises(FileError) as caught, exclusive(tmp_path):
        pass
    assert f"{file} cannot be locked: Permission denied." in str(caught.value)
    assert f"belongs to user id {file.stat().st_uid}: have it made writable" in str(caught.value)


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(FileError, match="cannot be locked"), exclusive(tmp_path):
        pass


def no_disk(**options):
    raise OSError(errno.EROFS, "Read-only file system")


def test_a_read_only_disk_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TemporaryFile", no_disk)
    with pytest.raises(FileError, match="Allow this user"), exclusive(tmp_path / "new"):
        pass
    assert not list(tmp_path.iterdir())
