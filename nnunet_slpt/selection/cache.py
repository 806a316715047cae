"""What the network has seen in each case, on disk, so that a killed run continues where it stopped.

Owns when a remembered case still counts. Must not import torch or nnU-Net.
"""

__all__ = ["CaseCache", "cache_key", "state_of"]

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.files import written_whole

FORMAT = 4
_KEY = "key"


def cache_key(**what: Any) -> str:
    """SHA-256 of everything that an answer depends on: image, model, settings.

    Args:
        what: anything that JSON holds.
    """
    return hashlib.sha256(json.dumps({"format": FORMAT} | what, sort_keys=True).encode()).hexdigest()


def state_of(files: Iterable[Path]) -> str:
    """A key that changes when one of the files is written to: size and time, as version control does it.

    Args:
        files: that are there.
    """
    states = [(str(file), (about := file.stat()).st_size, about.st_mtime_ns) for file in files]
    return cache_key(files=states)


class CaseCache:
    """Arrays by case, each file valid for one key alone.

    A case has one file: an answer to another image, model or setting replaces it.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, case: str, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays that were written for this key, or ``None``."""
        try:
            stored = io.BytesIO(self._file(case).read_bytes())
            arrays = dict(np.load(stored, allow_pickle=False))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None  # damaged from outside: writing is atomic; it is computed again
        return arrays if str(arrays.pop(_KEY, "")) == key else None

    def write(self, case: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Remember arrays; complete or not at all, whenever the process dies.

        Raises:
            FileError: the folder cannot be made or written to, or the disk is full.
        """
        content: dict[str, Any] = {_KEY: np.array(key), **arrays}
        # By its name, numpy would give it another ending.
        with written_whole(self._file(case)) as part, part.open("wb") as stream:
            np.savez(stream, **content)

    def _file(self, case: str) -> Path:
        return self.folder / f"{case}.npz"
