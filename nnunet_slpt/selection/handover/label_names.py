"""From a model's labels to a dataset's: by name, for a model of another task.

Pure. Must not import torch or nnU-Net.
"""

__all__ = ["translation"]

from collections.abc import Mapping
from typing import Any

from nnunet_slpt.errors import SelectionError

IGNORE = "ignore"


def translation(model: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[int, int]:
    """The model's value → the dataset's value; what the dataset does not know becomes background.

    Args:
        model: its ``dataset.json``.
        dataset: that of the dataset.

    Raises:
        SelectionError: no label has a name that both know; or regions that are not the same.
    """
    theirs, ours = _numbers(model), _numbers(dataset)
    if _has_regions(model) or _has_regions(dataset):
        orders = [about.get("regions_class_order") for about in (model, dataset)]
        if theirs != ours or orders[0] != orders[1]:
            raise SelectionError(
                f"--prelabel: the model predicts {_names(theirs)}, the dataset has {_names(ours)}; regions "
                "overlap and can only be taken over if all of labels and regions_class_order are the same. "
                "Leave --prelabel out, or pass a model of this dataset with -m."
            )
        return {number: number for numbers in theirs.values() for number in numbers} | {0: 0}
    both = [name for name in theirs if name in ours]
    if not both:
        raise SelectionError(
            f"--prelabel: no label of the model ({_names(theirs)}) has the name of a label of the dataset "
            f"({_names(ours)}), so its prediction says nothing about them. Leave --prelabel out; or, where "
            "two names mean the same, give the dataset's label the model's name in dataset.json."
        )
    return {0: 0} | {theirs[name][0]: ours[name][0] if name in ours else 0 for name in theirs}


def _numbers(about: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name → its numbers, without background and the ignore label."""
    numbers = {
        name: tuple(map(int, value)) if isinstance(value, list | tuple) else (int(value),)
        for name, value in about["labels"].items()
        if name != IGNORE
    }
    return {name: value for name, value in numbers.items() if {*value} != {0}}


def _has_regions(about: Mapping[str, Any]) -> bool:
    return any(len(value) > 1 for value in _numbers(about).values())


def _names(numbers: Mapping[str, object]) -> str:
    return ", ".join(numbers) or "none"
