"""One folder of preprocessed data, and what is known of each case in it: made from what, and still as made?

Owns the order in which a case's files come and go, so that nnU-Net at any moment finds it whole or not at
all. Must not import torch or nnU-Net.
"""

__all__ = ["OWN_FOLDER", "Record", "Store"]

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from nnunet_slpt.files import json_of, move, remove, write_json
from nnunet_slpt.preprocessing.stamps import Stamp

OWN_FOLDER = "slpt_preprocessing"
FORMAT = 1
# What nnU-Net writes for a case; by the first it is listed (training/dataloading/nnunet_dataset.py).
ENDINGS = (".b2nd", ".npz", "_seg.b2nd", "_seg.npy", ".npy", ".pkl")
LISTED_BY = ENDINGS[:2]


@dataclass(frozen=True)
class Record:
    """What a case was made from, and what came out.

    Args:
        recipe: key of the recipe.
        inputs: ``label``, ``image_0``, … → its file's stamp.
        outputs: file name → stamp of the preprocessed file.
    """

    recipe: str
    inputs: Mapping[str, Stamp]
    outputs: Mapping[str, Stamp]


class Store:
    """The folder with a configuration's data, which holds nothing else, and the records beside it.

    Args:
        home: the preprocessed dataset's folder.
        name: of the data's folder, nnU-Net's ``data_identifier``.
    """

    def __init__(self, home: Path, name: str) -> None:
        self.folder = home / name
        self.records = home / OWN_FOLDER / "records" / name
        self.removed = home / OWN_FOLDER / "removed" / name

    def names(self) -> set[str]:
        """The cases of which there is at least one file."""
        found = set()
        for file in self.folder.iterdir() if self.folder.is_dir() else ():
            ending = max((ending for ending in ENDINGS if file.name.endswith(ending)), key=len, default="")
            found |= {file.name.removesuffix(ending)} if ending else set()
        return found

    def files(self, case: str) -> dict[str, Path]:
        """The files that there are of a case, by name."""
        files = (self.folder / f"{case}{ending}" for ending in ENDINGS)
        return {file.name: file for file in files if file.is_file()}

    def read(self, case: str) -> Record | None:
        """What is known of a case; ``None`` if nothing is."""
        content = json_of(self._record(case))
        try:
            stamps = [{k: Stamp(**v) for k, v in content[part].items()} for part in ("inputs", "outputs")]
            return Record(content["recipe"], *stamps) if content["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # no record, or one damaged from outside: writing is atomic; the case is made again

    def write(self, case: str, record: Record) -> None:
        """Remember a case.

        Raises:
            FileError: the folder cannot be written to, or the disk is full.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        write_json(self._record(case), {"format": FORMAT, **asdict(record)})

    def publish(self, case: str, made: Path, recipe: str, inputs: Mapping[str, Stamp]) -> None:
        """Move a case's new files into the folder, and remember it.

        Args:
            case: its name.
            made: folder on the same disk with these files and nothing else.
            recipe: key of the recipe.
            inputs: stamps of what it was made from.

        Raises:
            FileError: the file system refuses.
        """
        self.discard(case)
        self.folder.mkdir(parents=True, exist_ok=True)
        # nnU-Net lists a case by one of its files: that one comes last.
        for file in sorted(made.iterdir(), key=lambda file: file.name in self._listed_by(case)):
            move(file, self.folder / file.name)
        made.rmdir()
        outputs = {name: Stamp.of(file) for name, file in self.files(case).items()}
        self.write(case, Record(recipe, inputs, outputs))

    def discard(self, case: str) -> None:
        """Remove a case that can be made again.

        Raises:
            FileError: the file system refuses.
        """
        self._forget(case)
        for file in self.files(case).values():
            remove(file)

    def set_aside(self, case: str) -> None:
        """Move a case that may not be made again to ``removed``, in place of what lies there of it.

        Raises:
            FileError: the file system refuses.
        """
        self._forget(case)
        self.removed.mkdir(parents=True, exist_ok=True)
        for file in self.files(case).values():
            move(file, self.removed / file.name)

    def _listed_by(self, case: str) -> set[str]:
        return {f"{case}{ending}" for ending in LISTED_BY}

    def _record(self, case: str) -> Path:
        return self.records / f"{case}.json"

    def _forget(self, case: str) -> None:
        if self._record(case).exists():
            remove(self._record(case))
