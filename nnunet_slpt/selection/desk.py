"""A dataset with its cases and earlier rounds, as they lie on disk.

Owns what is read once a call, and which cases count. Writes nothing.
"""

__all__ = ["Desk"]

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nnunet_slpt.datasets import (
    Case,
    dataset_folder,
    preprocessed_folder,
    read_cases,
    read_dataset_json,
)
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.hidden_labels import HIDE_LABELS, PROSPECTIVE
from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.selection.rounds import Round, waiting_cases
from nnunet_slpt.selection.splits import Fold, fixed_validation, read_names, read_split


@dataclass(frozen=True)
class Desk:
    """A dataset with its cases and earlier rounds, as they lie on disk.

    Args:
        raw: the dataset's folder in ``nnUNet_raw``.
        hide_labels: labels are neither opened nor looked for.
        incomplete: cases of which image files are missing are no reason to refuse.
    """

    raw: Path
    hide_labels: bool
    incomplete: bool = False

    @classmethod
    def of(cls, dataset: str, hide_labels: bool, incomplete: bool = False) -> "Desk":
        """The desk of a dataset.

        Args:
            dataset: name or number.
            hide_labels: labels are neither opened nor looked for.
            incomplete: cases of which image files are missing are no reason to refuse.

        Raises:
            DatasetError: unknown dataset.
        """
        return cls(dataset_folder(dataset), hide_labels, incomplete)

    @classmethod
    def as_left(cls, dataset: str, incomplete: bool = True) -> "Desk":
        """The desk of a dataset, with labels hidden if they were in its last round.

        Args:
            dataset: name or number.
            incomplete: as ``of``.

        Raises:
            SLPTError: the dataset or its rounds cannot be read.
        """
        rounds = cls.of(dataset, hide_labels=True).rounds
        return cls.of(dataset, bool(rounds) and rounds[-1].mode == HIDE_LABELS, incomplete)

    @cached_property
    def dataset_json(self) -> dict[str, Any]:
        """Of the raw dataset."""
        return read_dataset_json(self.raw)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """All cases by name, in ascending order."""
        return {case.name: case for case in read_cases(self.raw, self.hide_labels, self.incomplete)}

    @cached_property
    def store(self) -> RoundStore:
        """The rounds, in the preprocessed dataset folder."""
        return RoundStore(preprocessed_folder(self.raw.name))

    @property
    def mode(self) -> str:
        """As rounds call it."""
        return HIDE_LABELS if self.hide_labels else PROSPECTIVE

    def validation(self, file: Path | None) -> frozenset[str]:
        """Names of the cases that are never chosen because they validate.

        Args:
            file: with their names; ``None`` takes those that every fold of an existing split validates, or
                those of the last round if the split file is gone.
        """
        if file is not None:
            return frozenset(read_names(file, self.cases))
        if self.rounds and not self.store.split_file.exists():
            return frozenset(self.rounds[-1].validation)
        return fixed_validation(self.folds)

    @property
    def folds(self) -> list[Fold]:
        """Of the split file; none if there is no such file."""
        file = self.store.split_file
        return read_split(file) if file.exists() else []

    @cached_property
    def rounds(self) -> list[Round]:
        """The earlier rounds, read and verified once."""
        return self.store.rounds()

    def check_mode(self) -> None:
        """Refuse to mix the two ways of working in one chain of rounds.

        Raises:
            SelectionError: an earlier round was made the other way.
        """
        modes = {one.mode for one in self.rounds}
        if modes - {self.mode}:
            raise SelectionError(
                f"Earlier rounds of {self.raw.name} were made {'without' if self.hide_labels else 'with'} "
                "--hide_labels. Go on the same way, or take them back with --undo."
            )

    @cached_property
    def labelled(self) -> list[str]:
        """Names of the cases that count as labelled; with hidden labels those that were chosen."""
        if self.hide_labels:
            return [name for one in self.rounds for name in one.chosen if name in self.cases]
        return [name for name, case in self.cases.items() if case.labelled]

    @property
    def waiting(self) -> list[str]:
        """Names of the cases that were chosen and have no label yet, in the order of choice."""
        return waiting_cases(self.rounds, self.labelled, self.cases)
