"""Can a case be preprocessed: images, label if it has one, and whether they lie on each other?

Asks the checks of ``nnUNetv2_plan_and_preprocess --verify_dataset_integrity``, but only about the cases that
it is given. Reads with nnU-Net's readers, and writes nothing.
"""

__all__ = ["find_problems"]

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import NamedTuple

from nnunetv2.experiment_planning.verify_dataset_integrity import check_cases, verify_labels

from nnunet_slpt.datasets import Case, channel_count
from nnunet_slpt.datasets.file_damage import damage
from nnunet_slpt.datasets.image_checks import check_one
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.preprocessing.recipe import Recipe


class _Finding(NamedTuple):
    """What was found, in words.

    Args:
        problem: why the case cannot be used; empty if it can.
        warning: what somebody should look at.
    """

    problem: str = ""
    warning: str = ""


def _check(case: Case, recipe: Recipe) -> _Finding:
    """Look into a case's images and, if it has one, its label."""
    reader = recipe.plans.image_reader_writer_class
    channels = channel_count(recipe.dataset_json)
    problem = check_one(case, reader(), channels)
    if problem or not case.labelled:
        return _Finding(problem or "")
    told = io.StringIO()
    try:
        # A label that is cut short is read as background where it ends.
        if words := damage(case.label):
            return _Finding(f"{case.label.name}: {words}")
        with redirect_stdout(told):  # nnU-Net prints what it finds
            good = verify_labels(str(case.label), reader, recipe.label_values) and check_cases(
                [str(file) for file in case.images], str(case.label), channels, reader
            )
    except Exception as error:  # noqa: BLE001  a damaged file can make a reader raise anything
        return _Finding(f"{case.label.name} cannot be read, or compared with the images: {error!r}")
    words = " ".join(told.getvalue().split())
    return _Finding(warning=words) if good else _Finding(words)


def find_problems(
    cases: Sequence[Case], recipe: Recipe, workers: Workers, say: Callable[[str], object]
) -> dict[str, str]:
    """Check cases one by one.

    Args:
        cases: to look into.
        recipe: tells the reader, the number of channels and the values of labels.
        workers: who look.
        say: told what somebody should look at, though the case can be used.

    Returns:
        Name → why it cannot be used, of the cases that cannot.
    """
    problems = {}
    for case, finding in workers.each(partial(_check, recipe=recipe), cases, "Checking images and labels"):
        if finding.problem:
            problems[case.name] = finding.problem
        elif finding.warning:
            say(f"{case.name}: {finding.warning}")
    return problems
