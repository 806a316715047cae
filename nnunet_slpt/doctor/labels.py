"""Checks of the labels: can they be used, are there enough, is every class somewhere?

Owns the words and the thresholds. Writes nothing.
"""

__all__ = ["empty_labels", "few_labels", "shifted_labels", "unseen_classes", "unusable_labels"]

from collections.abc import Iterator

from nnunet_slpt.datasets.label_checks import ON_THE_IMAGE
from nnunet_slpt.doctor.examined import Examined
from nnunet_slpt.doctor.looks import Look
from nnunet_slpt.doctor.words import listed
from nnunet_slpt.errors import some
from nnunet_slpt.host_conventions import FEWEST_CASES, HOST_FOLDS, SPLIT_FILE
from nnunet_slpt.planners.comparison import Finding, next_choice


def unusable_labels(examined: Examined) -> Iterator[Finding]:
    """Another shape or spacing than its image, fractions, unknown values, damaged."""
    wrong = [
        (look.case.name, " ".join(look.label_problems))
        for look in examined.target.looks
        if look.label_problems
    ]
    if wrong:
        yield Finding(
            "error",
            "labels",
            f"{len(wrong)} of {examined.target.labelled} cannot be used:{listed(wrong)}",
            "Correct these labels, or move them out of labelsTr.",
        )


def shifted_labels(examined: Examined) -> Iterator[Finding]:
    """Another origin or direction than its image; nnU-Net warns too, and takes them voxel by voxel."""
    looks = examined.target.looks
    shifted = [(look.case.name, f"{look.label_shift}.") for look in looks if look.label_shift]
    if shifted:
        yield Finding(
            "warning",
            "labels",
            f"{len(shifted)} of {examined.target.labelled} lie elsewhere than their image; nnU-Net trains on "
            f"them as if they did not:{listed(shifted)}",
            f"See whether the voxels fit the image. {ON_THE_IMAGE}.",
        )


def few_labels(examined: Examined) -> Iterator[Finding]:
    """Too few to train on, or for nnU-Net's folds."""
    labelled = examined.target.labelled
    if 0 < labelled < FEWEST_CASES:
        yield Finding(
            "error",
            "labels",
            f"1 case has one, tuning needs {FEWEST_CASES} or more.",
            f"Choose the next to annotate: {next_choice(examined.model, examined.target)}",
        )
    elif FEWEST_CASES <= labelled < HOST_FOLDS:
        yield Finding(
            "note",
            "labels",
            f"{labelled} cases have one, too few for nnU-Net's {HOST_FOLDS} folds.",
            f"Train fold all, or let nnunet_slpt_select write {SPLIT_FILE}.",
        )


def empty_labels(examined: Examined) -> Iterator[Finding]:
    """Nothing but background."""
    nothing = {0.0, examined.target.label_values.ignore}
    drawn = _read(examined)
    empty = [look.case.name for look in drawn if not look.values - nothing]
    if empty:
        yield Finding(
            "error" if len(empty) == len(drawn) else "warning",
            "labels",
            f"{len(empty)} of {len(drawn)} are empty, nothing but background: {some(empty)}.",
            "Draw them, or keep them if that is what the images show; where all are, the trainer refuses.",
        )


def unseen_classes(examined: Examined) -> Iterator[Finding]:
    """Classes of dataset.json that nobody has drawn anywhere."""
    seen = frozenset[float]().union(*(look.values for look in _read(examined)))
    classes = examined.target.label_values.classes
    unseen = [name for name, values in classes.items() if not seen & {*values}]
    if unseen and len(unseen) < len(classes):
        yield Finding(
            "warning",
            "labels",
            f"no label holds {some(unseen)}: a network cannot learn what it never sees.",
            "Annotate a case that shows it, or take it out of dataset.json.",
        )


def _read(examined: Examined) -> list[Look]:
    """Cases whose label could be read."""
    return [look for look in examined.target.looks if look.values]
