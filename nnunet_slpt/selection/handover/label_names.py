"""From a model's labels to a dataset's: by name, for a model of another task.

Must not import torch, or nnU-Net itself.
"""

__all__ = ["translation"]

from collections.abc import Mapping
from typing import Any

from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.label_outputs import has_regions


def translation(model: Mapping[str, Any], dataset: Mapping[str, Any]) -> dict[int, int]:
    """The model's value → the dataset's value; what the dataset does not know becomes background.

    Args:
        model: its ``dataset.json``.
        dataset: that of the dataset.

    Raises:
        DatasetError: nnU-Net does not understand the labels of one of them.
        SelectionError: no label has a name that both know; or regions that are not the same.
    """
    theirs, ours = (LabelValues.of(about).classes for about in (model, dataset))
    if has_regions(model["labels"]) or has_regions(dataset["labels"]):
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


def _names(numbers: Mapping[str, object]) -> str:
    return ", ".join(numbers) or "none"
