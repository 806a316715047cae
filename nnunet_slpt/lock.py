"""The lock by which one command at a time works on a folder.

Standard library and filelock: must not import numpy, torch or nnU-Net.
"""

__all__ = ["LOCK", "exclusive"]

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nnunet_slpt.errors import FileError
from nnunet_slpt.files import check_writable, file_error

LOCK = ".lock"  # name of the file


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Be the only one who works on a folder; may be nested. The lock ends with the process, even if killed.

    Args:
        folder: is made where it is missing.

    Raises:
        FileError: another process holds it, it is another user's, or the folder cannot be written to.
    """
    check_writable(folder)
    file = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # One object a path and thread, so that nesting counts instead of waiting for itself.
        lock = FileLock(file, is_singleton=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise FileError(
            f"Another nnunet_slpt command is running on this dataset: it holds {file}. Wait until "
            "it has ended, or end it; then start again. The file itself may stay, it does no harm."
        ) from error
    except (OSError, NotImplementedError) as error:
        # The folder can be written to: this was asked before.
        remedy = _of_another_user(file) if isinstance(error, PermissionError) and file.exists() else ""
        raise file_error("locked", file, error, remedy) from error
    try:
        yield
    finally:
        lock.release()


def _of_another_user(file: Path) -> str:
    return (
        f"It belongs to user id {file.stat().st_uid}: have it made writable for this user. Or, if nobody "
        "runs an nnunet_slpt command here, remove it; it is made anew. Then start again."
    )
