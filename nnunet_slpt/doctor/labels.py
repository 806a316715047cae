"""Checks of the labels: can they be used, are there enough, is every class somewhere?

Owns the words and the thresholds. Writes nothing.
"""

__all__ = ["empty_labels", "few_labels", "unseen_classes", "unusable_labels"]

from collections.abc import Iterator

from nnunet_slpt.doctor.looks import Look
from nnunet_slpt.doctor.patient import Patient
from nnunet_slpt.doctor.words import listed
from nnunet_slpt.errors import some
from nnunet_slpt.planners.comparison import Finding

FEWEST = 2  # training cases; the trainer refuses fewer
FOLDS = 5  # nnU-Net's generate_crossval_split needs as many cases


def unusable_labels(patient: Patient) -> Iterator[Finding]:
    """Not on its image, fractions, unknown values, damaged."""
    wrong = [
        (look.case.name, " ".join(look.label_problems))
        for look in patient.target.looks
        if look.label_problems
    ]
    if wrong:
        yield Finding(
            "error",
            "labels",
            f"{len(wrong)} of {patient.target.labelled} cannot be used:{listed(wrong)}",
            "Correct these labels, or move them out of labelsTr.",
        )


def few_labels(patient: Patient) -> Iterator[Finding]:
    """Too few to train on, or for nnU-Net's folds."""
    labelled = patient.target.labelled
    if 0 < labelled < FEWEST:
        yield Finding(
            "error",
            "labels",
            f"1 case has one, tuning needs {FEWEST} or more.",
            "Choose the next to annotate with nnunet_slpt_select.",
        )
    elif FEWEST <= labelled < FOLDS:
        yield Finding(
            "note",
            "labels",
            f"{labelled} cases have one, too few for nnU-Net's {FOLDS} folds.",
            "Train fold all, or let nnunet_slpt_select write splits_final.json.",
        )


def empty_labels(patient: Patient) -> Iterator[Finding]:
    """Nothing but background."""
    nothing = {0.0, patient.target.label_values.ignore}
    drawn = _read(patient)
    empty = [look.case.name for look in drawn if not look.values - nothing]
    if empty:
        yield Finding(
            "error" if len(empty) == len(drawn) else "warning",
            "labels",
            f"{len(empty)} of {len(drawn)} are empty, nothing but background: {some(empty)}.",
            "Draw them, or keep them if that is what the images show; where all are, the trainer refuses.",
        )


def unseen_classes(patient: Patient) -> Iterator[Finding]:
    """Classes of dataset.json that nobody has drawn anywhere."""
    seen = frozenset[float]().union(*(look.values for look in _read(patient)))
    classes = patient.target.label_values.classes
    unseen = [name for name, values in classes.items() if not seen & {*values}]
    if unseen and len(unseen) < len(classes):
        yield Finding(
            "warning",
            "labels",
            f"no label holds {some(unseen)}: a network cannot learn what it never sees.",
            "Annotate a case that shows it, or take it out of dataset.json.",
        )


def _read(patient: Patient) -> list[Look]:
    """Cases whose label could be read."""
    return [look for look in patient.target.looks if look.values]
