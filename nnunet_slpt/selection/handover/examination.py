"""One finished label after the other: whose it is, what is wrong with it, what was changed.

Writes nothing. Must not import nnU-Net itself.
"""

__all__ = ["Examiner", "Finding"]

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from glob import escape
from pathlib import Path

import numpy as np

from nnunet_slpt import files
from nnunet_slpt.datasets.cases import Case, without_ending
from nnunet_slpt.datasets.geometry import Geometry, differences, geometry_of
from nnunet_slpt.datasets.image_checks import ImageReader, find_reader, read_file
from nnunet_slpt.datasets.label_checks import (
    Label,
    LabelValues,
    holds_integers,
    label_problems,
    read_label,
)
from nnunet_slpt.errors import DatasetError, FileError
from nnunet_slpt.selection.desk import Desk
from nnunet_slpt.selection.handover.collection import Collection
from nnunet_slpt.selection.handover.deliveries import Delivery
from nnunet_slpt.selection.handover.effort import Effort, effort_of
from nnunet_slpt.selection.handover.prelabel import EARLIER, PREDICTED

Digest = str


@dataclass(eq=False)
class Finding:
    """What there is to say of one file.

    Args:
        file: that was brought.
        case: whose label it is, or should be.
        sha256: of the file.
        round_number: that chose the case; ``None`` if none did.
        problems: why it is refused; each says what to do.
        warnings: what is odd about it.
        voxels: SHA-256 of shape and values; empty where all voxels have the same.
        as_it_is: it can be stored byte for byte.
        there: the dataset has this very label already.
        begun: somebody has saved it; ``False`` for a pre-label byte for byte as it was written.
        effort: against the pre-label, if there is one.
    """

    file: Path
    case: str
    sha256: str | None = None
    round_number: int | None = None
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    voxels: Digest = ""
    as_it_is: bool = True
    there: bool = False
    begun: bool = True
    effort: Effort | None = None


@dataclass(frozen=True, eq=False)
class Examiner:
    """Looks at labels that are brought to a dataset.

    Args:
        desk: of the dataset.
        asked: what may be taken.
    """

    desk: Desk
    asked: Collection

    @cached_property
    def reader(self) -> ImageReader:
        """As nnU-Net would take it."""
        return find_reader(list(self.desk.cases.values()), self.desk.dataset_json)

    @cached_property
    def values(self) -> LabelValues:
        """That the dataset's labels may hold."""
        return LabelValues.of(self.desk.dataset_json)

    @cached_property
    def chosen_by(self) -> dict[str, int]:
        """Case → number of the round that chose it."""
        return {name: one.number for one in self.desk.rounds for name in one.chosen}

    def examine(self, delivery: Delivery) -> Finding:
        """Look at one file.

        Args:
            delivery: the file.
        """
        found = Finding(delivery.file, delivery.name)
        try:
            found.sha256 = files.hash_of(delivery.file)
            if found.sha256 is None:
                raise DatasetError("it is a link to a file that is not there")
            self._examine(found)
        except (DatasetError, FileError) as problem:
            found.problems.append(str(problem).removeprefix(f"{found.file.name}: "))
        return found

    def image_geometry(self, case: Case) -> Geometry:
        """Where a case's image lies.

        Args:
            case: whose first file is read.
        """
        voxels, properties = read_file(case.images[0], lambda name: self.reader.read_images([name]))
        return geometry_of(voxels, properties)

    def digest(self, file: Path) -> Digest:
        """As ``Finding.voxels``, of a label that is there; empty if it cannot be read."""
        try:
            return _digest(read_label(file, self.reader.read_seg))
        except DatasetError:
            return ""

    def _examine(self, found: Finding) -> None:
        case = self._case(found)
        ending = self.desk.dataset_json["file_ending"]
        found.round_number = self.chosen_by.get(case.name)
        predictions = self._predictions(found, ending)
        if self._is_left_alone(found, case, predictions):
            return
        if found.round_number is None and case.name not in self.desk.validation(None):
            found.warnings.append("no round chose this case")
        label = read_label(found.file, self.reader.read_seg)
        found.problems += label_problems(
            label, self.image_geometry(case), self.values, self.asked.allow_empty
        )
        found.voxels = _digest(label)
        found.as_it_is = case.label.name == found.file.name and holds_integers(found.file)
        if not found.as_it_is and not found.problems:
            found.warnings.append(f"converted to whole numbers in {ending}")
        self._compare_with_prelabels(found, label, predictions)
        if case.labelled:
            self._compare_with_label(found, label, case)

    def _case(self, found: Finding) -> Case:
        case = self.desk.cases.get(found.case)
        if case is None:
            hint = " 3D Slicer: export as label map, not as .seg.nrrd." if found.case.endswith(".seg") else ""
            raise DatasetError(
                f"{self.desk.raw.name} has no case {found.case!r}. Expected a name such as "
                f"{next(iter(self.desk.cases))}, without channel number; rename the file.{hint}"
            )
        ending = found.file.name.removeprefix(without_ending(found.file.name))
        known = getattr(type(self.reader), "supported_file_endings", [ending])
        if ending.lower() not in known:
            raise DatasetError(
                f"nnU-Net's {type(self.reader).__name__}, which reads this dataset, does not read {ending}. "
                f"Expected {', '.join(known)}. Export it again so, or convert it, in Python: "
                f"SimpleITK.WriteImage(SimpleITK.ReadImage({found.file.name!r}), {case.label.name!r})"
            )
        return case

    def _is_left_alone(self, found: Finding, case: Case, predictions: Sequence[Path]) -> bool:
        """Whether it is a pre-label that nobody has saved, most likely since nobody has looked at it.

        In whose folder does not matter: each of several annotators may have a copy of all pre-labels.
        """
        if found.sha256 not in map(files.hash_of, predictions):
            return False
        if self.asked.as_predicted and not case.labelled:
            return False
        found.begun = False
        words = "the label that is there stays" if case.labelled else "if it is right so: --as_predicted"
        found.warnings.append(f"still as it was predicted; {words}")
        return True

    def _predictions(self, found: Finding, ending: str) -> list[Path]:
        """All that was ever predicted for a case, the last of its round first."""
        name, store = f"{found.case}{ending}", self.desk.store
        places = (f"*_{PREDICTED}", f"*_{PREDICTED}/{EARLIER}/*")
        there = [file for place in places for file in sorted(store.folder.glob(f"{place}/{escape(name)}"))]
        number = -1 if found.round_number is None else found.round_number
        last = store.beside(number, PREDICTED) / name
        return sorted(there, key=lambda file: file != last)

    def _compare_with_prelabels(self, found: Finding, label: Label, predictions: Sequence[Path]) -> None:
        """The effort is against the first prediction, unless the label is one of the others."""
        for file in predictions:
            try:
                predicted = read_label(file, self.reader.read_seg).voxels
            except DatasetError:  # a damaged prediction is no fault of the label
                continue
            if predicted.shape != label.voxels.shape:
                continue
            if np.array_equal(predicted, label.voxels):
                found.effort = effort_of(predicted, label.voxels, self.values)
                found.warnings.append("not edited, it is the pre-label")
                return
            found.effort = found.effort or effort_of(predicted, label.voxels, self.values)

    def _compare_with_label(self, found: Finding, label: Label, case: Case) -> None:
        found.there = files.hash_of(case.label) == found.sha256 or self._is_there(label, case)
        if not found.there and not self.asked.overwrite:
            found.problems.append(
                f"{case.label} is there already, with other voxels or in another place. To replace it: "
                "--overwrite, which keeps the old one."
            )

    def _is_there(self, label: Label, case: Case) -> bool:
        try:
            there = read_label(case.label, self.reader.read_seg)
        except DatasetError:
            return False
        same_place = not [*differences(there.geometry, label.geometry)]
        return same_place and np.array_equal(there.voxels, label.voxels)


def _digest(label: Label) -> Digest:
    if label.voxels.min() == label.voxels.max():  # those of two cases may well be equal
        return ""
    return hashlib.sha256(f"{label.voxels.shape}".encode() + label.voxels.tobytes()).hexdigest()
