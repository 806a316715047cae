"""Who may be chosen, who is labelled, who waits: each case of a dataset in exactly one group.

Looks at no file, and must not import torch or nnU-Net itself.
"""

__all__ = ["Pool", "divide"]

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import SelectionError, some
from nnunet_slpt.host_conventions import SPLIT_FILE
from nnunet_slpt.selection.splits import SPLIT_REMEDY, check_known

AT_MOST = 10  # names in an error


@dataclass(frozen=True)
class Pool:
    """The cases of a dataset by group, names ascending; no case is in two groups.

    Args:
        candidates: may be chosen.
        labelled: to train with.
        waiting: chosen earlier, but not labelled yet.
        validation: never chosen, never trained with.
        excluded: left out on the user's wish, labelled or not; also those of earlier rounds that the dataset
            no longer has.
        skipped: left out because their images cannot be used.
    """

    candidates: tuple[str, ...]
    labelled: tuple[str, ...]
    waiting: tuple[str, ...]
    validation: tuple[str, ...]
    excluded: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def covered(self) -> tuple[str, ...]:
        """Those whose kind is labelled, or is being labelled now."""
        return (*self.labelled, *self.waiting)

    def counts(self) -> str:
        """One line for the user, before anything is computed."""
        groups = {
            "labelled": self.labelled,
            "waiting for labels": self.waiting,
            "for validation": self.validation,
            "excluded": self.excluded,
            "unreadable": self.skipped,
            "to choose from": self.candidates,
        }
        total = sum(map(len, groups.values()))
        # Unreadable images are rare enough to be told of only when there are some.
        told = [f"{len(names)} {words}" for words, names in groups.items() if names or words != "unreadable"]
        return f"{total} cases: {', '.join(told)}"


def divide(
    cases: Sequence[Case],
    *,
    earlier_choices: Sequence[str],
    validation: frozenset[str],
    excluded: frozenset[str],
    skipped: frozenset[str],
    hide_labels: bool,
    partial: bool,
) -> Pool:
    """Put every case of a dataset into its group.

    Excluded and skipped cases are in no other group, whether labelled, waiting or not. A validation case is
    no training case, whether labelled or not. Of the others, those with a label are labelled; those without
    one that were chosen earlier wait; the rest are candidates. If labels are hidden, those are labelled that
    were chosen earlier, and none waits.

    Args:
        cases: all of the dataset, in any order.
        earlier_choices: names that earlier rounds chose.
        validation: names of validation cases.
        excluded: names that the user leaves out, of the dataset or of those that earlier rounds chose.
        skipped: names whose images cannot be used.
        hide_labels: whether a case has a label is not looked at.
        partial: go on although cases wait for their labels.

    Raises:
        SelectionError: a validation case, or one chosen earlier and not excluded, that the dataset does not
            have; a validation case that was chosen earlier or is excluded; cases that wait for their labels,
            and not ``partial``; no candidate.
    """
    names = {case.name for case in cases}
    chosen = frozenset(earlier_choices)
    _check_names(names, chosen, validation, excluded)
    rest = names - excluded - skipped - validation
    labelled = rest & (chosen if hide_labels else {case.name for case in cases if case.labelled})
    waiting = rest & chosen - labelled
    pool = Pool(
        candidates=tuple(sorted(rest - labelled - waiting)),
        labelled=tuple(sorted(labelled)),
        waiting=tuple(sorted(waiting)),
        validation=tuple(sorted(validation - skipped)),
        excluded=tuple(sorted(excluded)),
        skipped=tuple(sorted(skipped - excluded)),
    )
    if waiting and not partial:
        raise SelectionError(
            f"{len(waiting)} cases of earlier rounds have no label yet: {_first(waiting)}. Expected all to be"
            " labelled before the next are chosen. Take the labels in (nnunet_slpt_collect), choose without "
            "them (--partial; they stay waiting), or leave them out for good (--exclude). If a run was "
            "killed before it had written all pre-labels, the same call without -n writes them (--prelabel)."
        )
    if not pool.candidates:
        raise SelectionError(
            f"No case is left to choose from. {pool.counts()}. Expected 1 or more: add images without a "
            "label to imagesTr, or exclude fewer cases."
        )
    return pool


def _check_names(
    names: set[str], chosen: frozenset[str], validation: frozenset[str], excluded: frozenset[str]
) -> None:
    gone = chosen - excluded - names
    if gone:
        raise SelectionError(
            f"{len(gone)} cases that earlier rounds chose are no longer in the dataset: {_first(gone)}. Put "
            "their images back, leave them out for good (--exclude), or undo the round (--undo)."
        )
    source = f"{SPLIT_FILE}, or without one the last round,"
    check_known(validation, names, source, f"{SPLIT_REMEDY} Or put the images back.")
    _check_apart(chosen & validation, "chosen by an earlier round to train with")
    _check_apart(excluded & validation, "to be excluded")


def _check_apart(names: Collection[str], other: str) -> None:
    if names:
        raise SelectionError(
            f"{len(names)} cases are for validation and {other}: {_first(names)}. Expected either; "
            "take them out of one of the two."
        )


def _first(names: Collection[str]) -> str:
    return some(sorted(names), AT_MOST)
