"""Files that are there whole or not at all, and their backups.

Standard library alone: must not import numpy, torch or nnU-Net.
"""

__all__ = [
    "back_up",
    "check_writable",
    "file_error",
    "hash_of",
    "json_of",
    "move",
    "read_blocks",
    "read_bytes",
    "remove",
    "remove_parts",
    "replace_json",
    "write_bytes",
    "write_json",
    "write_text",
    "written_whole",
]

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

from nnunet_slpt.errors import FileError

BLOCK_BYTES = 1 << 20
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """Give another name to write to; what is there at the end becomes the file, in one step.

    Whoever reads it meanwhile, or after a crash, finds the old one or the new one.

    Args:
        file: to make or to replace; its folder is made where it is missing.

    Raises:
        FileError: the disk is full, the folder is read-only, or the like; the old file is untouched.
    """
    part = file.with_name(f".{file.name}.{uuid4().hex}.part")  # two containers' processes may share a number
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        with suppress(OSError):  # it is new, or on a shared drive that lets nobody change that
            shutil.copymode(file, part)
        part.replace(file)
    except OSError as error:
        raise file_error("written", file, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    _sync(file.parent)


def write_bytes(file: Path, content: bytes) -> None:
    """Write all of a file in one step.

    Raises:
        FileError: as ``written_whole``.
    """
    with written_whole(file) as part:
        part.write_bytes(content)


def write_text(file: Path, text: str) -> None:
    """As ``write_bytes``, in UTF-8; a file name in it that is no UTF-8 goes out as the bytes it came in.

    Raises:
        FileError: as ``write_bytes``.
    """
    write_bytes(file, encoded(text))


def encoded(text: str) -> bytes:
    """The bytes that ``write_text`` writes."""
    return text.encode("utf-8", errors="surrogateescape")


def write_json(file: Path, value: Any) -> None:
    """As ``write_bytes``, in the format of nnU-Net's own JSON files.

    Raises:
        FileError: as ``write_bytes``.
        ValueError: there is a NaN or an infinity in it, which JSON does not know.
    """
    write_bytes(file, json.dumps(value, indent=4, allow_nan=False).encode())


def replace_json(file: Path, value: Any, backup: Path) -> Path | None:
    """Write JSON unless the file holds this value, key order included; other content is backed up first.

    Args:
        file: to make or to replace.
        value: of JSON's types.
        backup: where to keep another content; see ``back_up``.

    Returns:
        The backup's path, if there was another content.

    Raises:
        FileError: a file cannot be read or written.
        ValueError: as ``write_json``.
    """
    kept = None
    if file.exists():
        with suppress(ValueError):  # damaged, and replaced like any other that differs
            if json.dumps(json.loads(read_bytes(file))) == json.dumps(value):
                return None
        kept = back_up(file, backup)
    write_json(file, value)
    return kept


def read_bytes(file: Path) -> bytes:
    """All of a file.

    Raises:
        FileError: as ``read_blocks``.
    """
    return b"".join(read_blocks(file))


def json_of(file: Path) -> Any:
    """What a JSON file holds; ``None`` if there is no such file, or what is there is no JSON."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_blocks(file: Path) -> Iterator[bytes]:
    """All of a file in pieces, for one that may be larger than memory.

    Raises:
        FileError: it is missing or cannot be read.
    """
    try:
        with file.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block
    except OSError as error:
        reason = error.strerror or repr(error)
        raise FileError(f"{file} cannot be read: {reason}. Check the name and its permissions.") from error


def hash_of(file: Path) -> str | None:
    """SHA-256 of a file's content; ``None`` if there is no such file.

    Raises:
        FileError: it is there and cannot be read.
    """
    if not file.exists():
        return None
    digest = hashlib.sha256()
    for block in read_blocks(file):
        digest.update(block)
    return digest.hexdigest()


def back_up(file: Path, backup: Path) -> Path:
    """Copy a file; an earlier backup is never overwritten.

    Args:
        file: to copy.
        backup: the name to copy it to. Where that is taken by another content, ``-1``, ``-2`` … is added
            to its stem; where it is taken by the same content, that is the backup.

    Returns:
        The backup's path.

    Raises:
        FileError: the file cannot be read, or the copy not be written.
    """
    content = read_bytes(file)
    copy, count = backup, 0
    while copy.exists() and read_bytes(copy) != content:
        count += 1
        copy = backup.with_stem(f"{backup.stem}-{count}")
    if not copy.exists():
        write_bytes(copy, content)
    return copy


def move(source: Path, target: Path) -> None:
    """Give a file another name in one step, replacing what has that name.

    Args:
        source: the file.
        target: its new name, in the same file system.

    Raises:
        FileError: the file system refuses.
    """
    try:
        source.replace(target)
    except OSError as error:
        raise file_error("written", target, error) from error
    _sync(target.parent)


def remove(file: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        FileError: the file system refuses.
    """
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise file_error("removed", file, error) from error
    _sync(file.parent)


def remove_parts(file: Path) -> None:
    """Remove what a killed ``write_bytes`` of this file left. Nobody may be writing it: hold the lock.

    Raises:
        FileError: the file system refuses.
    """
    for part in sorted(file.parent.glob(f".{escape(file.name)}.*.part")):
        remove(part)


def check_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be made. Leaves nothing behind.

    Args:
        folder: it, or the folder in which it is going to be made.

    Raises:
        FileError: read-only, full, or no folder.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder, buffering=0) as probe:  # without a name, so a killed run leaves none
            probe.write(b"1")
    except OSError as error:
        raise file_error("written to", folder, error) from error


def _sync(folder: Path) -> None:
    """Make a new name last through a power cut, where the system can."""
    with suppress(OSError):  # Windows cannot open a folder, some network drives cannot sync one
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def file_error(done: str, file: Path, error: OSError | NotImplementedError, remedy: str = "") -> FileError:
    """The error for what the file system refuses, with the remedy.

    Args:
        done: what was to be done to the file, as a participle.
        file: that it was to be done to.
        error: of the system.
        remedy: that is known better here than from the error.
    """
    number = getattr(error, "errno", None)
    usual = f"Look at {file.parent}, correct this and start again."
    if number in NO_ROOM:
        usual = f"Make room on the disk of {file.parent} and start again."
    elif number in NOT_ALLOWED:
        usual = f"Allow this user to write to {file.parent}, or mount it writable, and start again."
    reason = getattr(error, "strerror", None) or repr(error)
    return FileError(
        f"{file} cannot be {done}: {reason}. What was there before is unchanged. {remedy or usual}"
    )
