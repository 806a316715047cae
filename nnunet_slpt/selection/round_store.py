"""The rounds of a dataset on disk: a chain of files that is verified, added to and taken back from.

Everything lies in ``slpt_selection`` beside nnU-Net's own folders, but for the split file. A round counts
from the moment its file has its name, the last step of ``commit``. Until then its text lies there as
``.pending``, from before the first replacement on; so whoever comes next can put back what a killed run
replaced, and the same command gives the same round. Must not import torch or nnU-Net.
"""

__all__ = ["RoundStore"]

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nnunet_slpt import files, lock
from nnunet_slpt.errors import SelectionError, some
from nnunet_slpt.hidden_labels import ROUNDS_FOLDER
from nnunet_slpt.host_conventions import SPLIT_FILE
from nnunet_slpt.selection.rounds import FILE_REMEDY, Replaced, Round, read_round, round_text
from nnunet_slpt.selection.splits import Fold, split_text

WORKLIST = "to_annotate.csv"
BACKUP = "before"
ROUND_FILE = re.compile(r"round_(\d{2,})\.json")
PENDING = ".pending"


class RoundStore:
    """The rounds of one dataset.

    Reading takes no lock and changes nothing. Whoever is going to write holds ``exclusive()`` from before
    reading the split file to the end.

    Args:
        folder: the preprocessed dataset folder, ``nnUNet_preprocessed/DATASET``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ROUNDS_FOLDER
        self.split_file = folder / SPLIT_FILE
        self.worklist_file = self.folder / WORKLIST

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other runs out, and clear up after one that was killed; may be nested.

        Raises:
            FileError: another run is at work, or a folder cannot be written to.
            SelectionError: what a killed run replaced cannot be put back.
        """
        files.check_writable(self.split_file.parent)
        with lock.exclusive(self.folder):
            self._recover()
            yield

    def rounds(self) -> list[Round]:
        """All rounds, the first one first, verified.

        Raises:
            FileError: a round file cannot be read.
            SelectionError: a round file is missing, was changed, or is of a later version; or a backup that
                a round needs is lost.
        """
        return self._chain()[0]

    def made_at(self, number: int) -> float:
        """When a round was written, in seconds, as a file's time of change.

        Args:
            number: of the round.
        """
        return self._file(number).stat().st_mtime

    def beside(self, number: int, what: str) -> Path:
        """Where something lies that belongs to a round; ``undo`` puts it away with the round.

        Args:
            number: of the round.
            what: name of the file or folder; not ``before…``, as backups are called.
        """
        return self.folder / f"round_{number:02d}_{what}"

    def commit(self, new: Round, folds: Sequence[Fold], worklist: str) -> Round:
        """Add a round: write the split file, the worklist and the round file, or none of them.

        Once more with the same arguments changes nothing.

        Args:
            new: numbered with the number of rounds so far; ``previous``, ``split`` and ``worklist`` are
                filled in here.
            folds: for ``splits_final.json``.
            worklist: text of ``to_annotate.csv``.

        Returns:
            The round as it is on disk.

        Raises:
            FileError: it cannot be written, or another run is at work.
            SelectionError: it does not follow the rounds so far, or one of them cannot be used.
        """
        texts = {self.split_file: split_text(folds), self.worklist_file: worklist}
        with self.exclusive():
            rounds, last_hash = self._chain()
            if self._is_last(new, rounds, texts):
                return rounds[-1]
            self._check_next(new, rounds)
            try:
                split, listed = (self._replacement(new, file, text) for file, text in texts.items())
                new = replace(new, previous=last_hash, split=split, worklist=listed)
                self._write(new, texts)
            except BaseException:
                self._recover()
                raise
        return new

    def undo(self, force: bool = False) -> Round:
        """Take back the last round: the split file and the worklist become what they were before it.

        The round's files, and what lies beside it, stay under names that begin with ``undone``.

        Args:
            force: also if somebody has changed the split file since; what they made of it is kept, too.

        Returns:
            The round that was taken back.

        Raises:
            FileError: a file cannot be written, or another run is at work.
            SelectionError: there is no round, the split file was changed, or its backup is lost.
        """
        with self.exclusive():
            rounds = self.rounds()
            if not rounds:
                raise SelectionError(f"There is no round to undo: {self.folder} has none.")
            last = rounds[-1]
            written = self._written(last)
            self._check_split_is_ours(written[self.split_file], force)
            for replaced in written.values():
                self._check_backup(replaced)
            # Each step can be done again, so an undo that was killed is simply started again.
            name = self._undone_name(last.number)
            for file, replaced in written.items():
                if files.hash_of(file) not in (None, replaced.backup_sha256):
                    files.back_up(file, self.folder / f"{name}_{file.name}")
                self._restore(file, replaced)
            for beside in self._all_beside(last.number):
                files.move(
                    beside, self.folder / (name + beside.name.removeprefix(f"round_{last.number:02d}"))
                )
            files.move(self._file(last.number), self.folder / f"{name}.json")
        return last

    def undone(self, number: int, what: str) -> Path:
        """Where ``beside`` of the same arguments went when that round was last taken back."""
        last = len([*self.folder.glob(f"undone_*_round_{number:02d}.json")]) - 1
        return self.folder / f"undone_{last:02d}_round_{number:02d}_{what}"

    def _file(self, number: int) -> Path:
        return self.folder / f"round_{number:02d}.json"

    def _all_beside(self, number: int) -> list[Path]:
        backups = self.beside(number, BACKUP).name
        found = self.folder.glob(self.beside(number, "*").name)
        return [path for path in sorted(found) if not path.name.startswith(backups)]

    def _written(self, one: Round) -> dict[Path, Replaced]:
        """The two files that a round replaces, the split file first."""
        if one.split is None or one.worklist is None:
            raise SelectionError(f"{self._file(one.number)} does not say what it replaced. {FILE_REMEDY}")
        return {self.split_file: one.split, self.worklist_file: one.worklist}

    def _chain(self) -> tuple[list[Round], str | None]:
        """All rounds, and the hash of the last one's file."""
        found = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        numbers = sorted(int(match[1]) for file in found if (match := ROUND_FILE.fullmatch(file.name)))
        rounds: list[Round] = []
        last_hash = None
        for expected, number in enumerate(numbers):
            if number != expected:
                raise SelectionError(
                    f"{self._file(expected)} is missing, but there is {self._file(number)}. {FILE_REMEDY}"
                )
            one, own_hash = read_round(self._file(number))
            if (one.number, one.previous) != (number, last_hash):
                raise SelectionError(
                    f"{self._file(number)} is round {one.number} of another chain: it follows a file with "
                    f"SHA-256 {one.previous}, the one before it has {last_hash}. {FILE_REMEDY}"
                )
            self._check_nothing_is_lost(one)
            rounds.append(one)
            last_hash = own_hash
        return rounds, last_hash

    def _check_nothing_is_lost(self, one: Round) -> None:
        for replaced in self._written(one).values():
            if replaced.backup is not None and not (self.folder / replaced.backup).is_file():
                raise SelectionError(
                    f"{self.folder / replaced.backup} is missing, the backup that undoing round {one.number} "
                    "needs. Put it back; if it is lost for good, an empty file in its place lets you go on, "
                    "but not undo that round."
                )

    def _check_next(self, new: Round, rounds: Sequence[Round]) -> None:
        if new.number != len(rounds):
            raise SelectionError(
                f"Round {new.number} cannot be written: {self.folder} has {len(rounds)} round(s), so the "
                f"next is round {len(rounds)}. Start again, or take the last round back with --undo."
            )
        again = sorted({*new.chosen} & {name for one in rounds for name in one.chosen})
        if again:
            raise SelectionError(
                f"Round {new.number} chose {len(again)} case(s) that an earlier round chose: "
                f"{some(again)}. Such cases must not be offered to a strategy."
            )

    def _is_last(self, new: Round, rounds: Sequence[Round], texts: dict[Path, str]) -> bool:
        """Whether this very round was the last to be written."""
        if not rounds:
            return False
        last = rounds[-1]
        filled_in = replace(new, previous=last.previous, split=last.split, worklist=last.worklist)
        written = self._written(last)
        return filled_in == last and all(
            written[file].sha256 == _hash_of_text(text) for file, text in texts.items()
        )

    def _replacement(self, new: Round, file: Path, text: str) -> Replaced:
        """Back up a file, and note what is going to replace it."""
        sha256, before = _hash_of_text(text), files.hash_of(file)
        if before is None:
            return Replaced(sha256=sha256)
        backup = files.back_up(file, self.beside(new.number, f"{BACKUP}_{file.name}"))
        return Replaced(sha256=sha256, backup=backup.name, backup_sha256=before)

    def _write(self, new: Round, texts: dict[Path, str]) -> None:
        """First all that needs room on the disk, then renaming alone; last of all the round file."""
        round_file = self._file(new.number)
        for file, text in {**texts, round_file: round_text(new)}.items():
            files.write_text(_pending(file), text)
        for file in (*texts, round_file):
            files.move(_pending(file), file)

    def _recover(self) -> None:
        """Put back what a run replaced that was killed before its round counted."""
        for left in sorted(self.folder.glob(f"round_*.json{PENDING}")):
            for file, replaced in self._written(read_round(left)[0]).items():
                # If it is neither what we wrote nor what was there before, it is somebody's work: leave it.
                if files.hash_of(file) == replaced.sha256:
                    self._check_backup(replaced)
                    self._restore(file, replaced)
            files.remove(left)
        for file in (self.split_file, self.worklist_file):
            files.remove(_pending(file))
            files.remove_parts(file)
        for part in sorted([*self.folder.glob(".round_*.part"), *self.folder.glob(".undone_*.part")]):
            files.remove(part)

    def _restore(self, file: Path, replaced: Replaced) -> None:
        if replaced.backup is None:
            files.remove(file)
        elif files.hash_of(file) != replaced.backup_sha256:
            files.write_bytes(file, files.read_bytes(self.folder / replaced.backup))

    def _check_backup(self, replaced: Replaced) -> None:
        if replaced.backup is None:
            return
        backup = self.folder / replaced.backup
        if files.hash_of(backup) != replaced.backup_sha256:
            raise SelectionError(
                f"{backup} has SHA-256 {files.hash_of(backup)}, expected {replaced.backup_sha256}, that of "
                "the file saved there. Put the saved file back; without it the round cannot be taken back."
            )

    def _check_split_is_ours(self, replaced: Replaced, force: bool) -> None:
        if not force and files.hash_of(self.split_file) not in (replaced.sha256, replaced.backup_sha256):
            raise SelectionError(
                f"{self.split_file} was changed or removed since the round wrote it. Undoing would put back "
                "the file from before the round; with --force it does, and keeps the changed file beside."
            )

    def _undone_name(self, number: int) -> str:
        count = 0
        while (self.folder / f"undone_{count:02d}_round_{number:02d}.json").exists():
            count += 1
        return f"undone_{count:02d}_round_{number:02d}"


def _pending(file: Path) -> Path:
    return file.with_name(file.name + PENDING)


def _hash_of_text(text: str) -> str:
    return hashlib.sha256(files.encoded(text)).hexdigest()
