"""Is a file still the one that was seen? Size and times are asked first, its content only if they differ.

Must not import torch or nnU-Net.
"""

__all__ = ["Stamp", "renewed"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nnunet_slpt.errors import FileError
from nnunet_slpt.files import hash_of


@dataclass(frozen=True)
class Stamp:
    """What a file was when it was seen.

    Args:
        size_bytes: its length.
        modified_ns: when its content was changed.
        changed_ns: when its content, name or rights were changed; a copy cannot set it back.
        sha256: of its content.
    """

    size_bytes: int
    modified_ns: int
    changed_ns: int
    sha256: str

    @classmethod
    def of(cls, file: Path) -> "Stamp":
        """The stamp of a file as it is now.

        Args:
            file: to look at.

        Raises:
            FileError: it is missing or cannot be read.
        """
        # In this order: a file that is changed in between has another time than the stamp says.
        about = _about(file)
        sha256 = hash_of(file)
        if about is None or sha256 is None:
            raise FileError(f"{file} is missing, it was there a moment ago. Put it back and start again.")
        return cls(*about, sha256)

    def renewed(self, file: Path) -> "Stamp | None":
        """This stamp, if the file is untouched; one with other times, if its content is the same.

        Args:
            file: to look at.

        Returns:
            ``None`` if the file is missing or has another content.

        Raises:
            FileError: it cannot be read.
        """
        about = _about(file)
        if about == (self.size_bytes, self.modified_ns, self.changed_ns):
            return self
        if about is None or about[0] != self.size_bytes:
            return None
        now = Stamp.of(file)
        return now if now.sha256 == self.sha256 else None


def renewed(stamps: Mapping[str, Stamp], files: Mapping[str, Path]) -> dict[str, Stamp] | None:
    """The stamps of several files, as ``Stamp.renewed``; ``None`` if one of them does not fit.

    Args:
        stamps: name → what was seen.
        files: name → the file. Another set of names does not fit either.

    Raises:
        FileError: one of them cannot be read.
    """
    if stamps.keys() != files.keys():
        return None
    found = {name: stamp.renewed(files[name]) for name, stamp in stamps.items()}
    return {name: stamp for name, stamp in found.items() if stamp} if all(found.values()) else None


def _about(file: Path) -> tuple[int, int, int] | None:
    try:
        about = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"{file} cannot be looked at: {error.strerror}. Check its permissions.") from error
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns
