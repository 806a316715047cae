"""Where a dataset stands: for ``--status``, in words and as JSON.

Pure: reads no file. Must not import torch or nnU-Net.
"""

__all__ = ["RoundStatus", "Status", "status_of"]

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nnunet_slpt.errors import some
from nnunet_slpt.hidden_labels import HIDE_LABELS
from nnunet_slpt.host_conventions import FEWEST_CASES
from nnunet_slpt.selection.rounds import Round, waiting_cases
from nnunet_slpt.selection.splits import Fold, fixed_validation

SHOWN_NAMES = 10
COLLECT = "take the labels in (nnunet_slpt_collect)"
PREPARE = "preprocess what is new (nnunet_slpt_preprocess)"


@dataclass(frozen=True)
class RoundStatus:
    """One round in short.

    Args:
        number: from 0 on.
        strategy: that chose.
        mode: ``prospective`` or ``hide_labels``.
        chosen: how many cases.
        waiting: how many of them have no label yet.
    """

    number: int
    strategy: str
    mode: str
    chosen: int
    waiting: int


@dataclass(frozen=True)
class Status:
    """Where a dataset stands.

    Args:
        rounds: the first one first.
        labelled: how many cases are labelled, those for validation not counted.
        validation: how many validation cases there are.
        unlabelled_validation: names of those that have no label yet.
        waiting: names of the cases that were chosen and have no label yet, in the order of choice; without
            those that the last round excluded.
        gone: names of the cases that were chosen and that the dataset no longer has, without those either;
            these do not wait.
        in_no_fold: names of the labelled cases that the split file does not name, if there is one; without
            those that the last round excluded.
        left: how many cases can still be chosen, without those that the last round excluded.
    """

    rounds: tuple[RoundStatus, ...]
    labelled: int
    validation: int
    unlabelled_validation: tuple[str, ...]
    waiting: tuple[str, ...]
    gone: tuple[str, ...]
    in_no_fold: tuple[str, ...]
    left: int

    @property
    def next_step(self) -> str:
        """What to do next."""
        if self.waiting:
            return (
                f"Label what waits, {_cases(len(self.waiting))} (to_annotate.csv lists the last round's), "
                f"{COLLECT}, {PREPARE}, then train. To go on without those that are missing: train fold all, "
                "choose with --partial."
            )
        if self.unlabelled_validation:
            return f"Label the validation cases, {COLLECT}, {PREPARE}, then train."
        if not self.left:
            return f"Every case is labelled, nothing is left to choose: {PREPARE}, then train."
        if not self.rounds:
            return self._first_step
        return f"{PREPARE.capitalize()}, train, then choose the next cases with the trained model."

    @property
    def _first_step(self) -> str:
        """What to do before there is a round."""
        choose = "nnunet_slpt_select -d DATASET -n BUDGET"
        if not self.labelled:
            return f"Choose the first cases: {choose} -m MODEL_FOLDER"
        now = f"Choose the next cases by features: {choose} -m MODEL_FOLDER -strategy kmeans"
        if self.labelled < FEWEST_CASES:
            return now
        return f"{now}; or train fold all, then choose with the tuned model: {choose} -p nnUNetSLPTPlans"

    @property
    def _of_validation(self) -> str:
        missing = self.unlabelled_validation
        return f", {len(missing)} without label{_listed(missing)}" if missing else ""

    def text(self) -> str:
        """For people, without a line end at the end."""
        lines = [
            f"Round {one.number}: {_cases(one.chosen)} chosen by {one.strategy}"
            + (f", {one.waiting} without label" if one.waiting else "")
            + (" (labels hidden)" if one.mode == HIDE_LABELS else "")
            for one in self.rounds
        ]
        remedy = "put the images back, or choose with --exclude"
        gone = f"No longer in the dataset: {len(self.gone)}{_listed(self.gone)}; {remedy}"
        outside = f"In no fold with a number: {len(self.in_no_fold)}{_listed(self.in_no_fold)}; "
        outside += "fold all trains on these too" + ("; the next round takes them in" if self.left else "")
        return "\n".join(
            [
                *(lines or ["No round yet"]),
                f"Labelled: {self.labelled}",
                f"Validation: {self.validation}{self._of_validation}",
                f"Waiting for labels: {len(self.waiting)}{_listed(self.waiting)}",
                *([gone] if self.gone else []),
                *([outside] if self.in_no_fold else []),
                f"Left in the pool: {self.left}",
                f"Next: {self.next_step}",
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """For programs, in JSON's types."""
        about = asdict(self)
        return {
            **about,
            "rounds": list(about["rounds"]),
            "unlabelled_validation": list(self.unlabelled_validation),
            "waiting": list(self.waiting),
            "gone": list(self.gone),
            "in_no_fold": list(self.in_no_fold),
            "next_step": self.next_step,
        }


def status_of(
    rounds: Sequence[Round], labelled: Iterable[str], pool: Iterable[str], folds: Sequence[Fold]
) -> Status:
    """Where a dataset stands.

    Args:
        rounds: all, the first one first.
        labelled: names of the cases that count as labelled; with hidden labels those that were chosen.
        pool: names of all cases of the dataset, whichever group they are in.
        folds: of the split file; none if there is no such file.
    """
    have, fixed, there = set(labelled), fixed_validation(folds), set(pool)
    waiting = waiting_cases(rounds, have, there)
    split = {name for fold in folds for name in (*fold.train, *fold.val)}
    left_out = {*rounds[-1].excluded} if rounds else set()
    hidden = bool(rounds) and rounds[-1].mode == HIDE_LABELS  # a validation case has its label all the same
    unlabelled = there - have
    chosen = [name for one in rounds for name in one.chosen]
    return Status(
        rounds=tuple(
            RoundStatus(
                number=one.number,
                strategy=one.strategy,
                mode=one.mode,
                chosen=len(one.chosen),
                waiting=len({*one.chosen}.intersection(waiting)),
            )
            for one in rounds
        ),
        labelled=len(have - fixed),
        validation=len(fixed),
        unlabelled_validation=() if hidden else tuple(sorted(fixed & unlabelled)),
        waiting=tuple(waiting),
        gone=tuple(name for name in chosen if name not in there and name not in left_out),
        in_no_fold=tuple(sorted(have - split - left_out)) if folds else (),
        left=len(unlabelled - fixed - left_out - {*chosen}),
    )


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" ({some(names, SHOWN_NAMES)})"
