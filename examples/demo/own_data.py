"""A real task for the demo: find it in a folder, choose the labelled cases, link them as an nnU-Net dataset.

The folder holds::

    DatasetXXX_Name/            an nnU-Net raw dataset: dataset.json, imagesTr, labelsTr
    split.json                  {"pool": [case, ...], "test": [case, ...]}; other keys are not used
    pretrained/DatasetYYY_Name/Trainer__Plans__3d_fullres/
                                plans.json, dataset.json, fold_all/checkpoint_final.pth

Nothing in it is changed. Must not import torch or nnU-Net.
"""

__all__ = ["Task", "choose", "find_task", "link_dataset"]

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from own_folder import MARK, begin_dataset
from plans import CONFIGURATION
from report import class_labels
from steps import DemoError

EXPECTED = (
    "Expected DatasetXXX_Name/ (nnU-Net raw: dataset.json, imagesTr, labelsTr), split.json with the lists "
    f'"pool" and "test", and pretrained/DatasetYYY_Name/Trainer__Plans__{CONFIGURATION}/ with plans.json, '
    "dataset.json and fold_all/checkpoint_final.pth."
)


@dataclass(frozen=True)
class Task:
    """A labelled dataset, who may be labelled and who is tested, and a pretrained network.

    Args:
        dataset: the nnU-Net raw dataset.
        pool: cases that may be labelled.
        test: cases to evaluate on.
        pretrained: folder of the trained model.
    """

    dataset: Path
    pool: tuple[str, ...]
    test: tuple[str, ...]
    pretrained: Path


def find_task(folder: Path) -> Task:
    """Find the task in a folder laid out as this module says; among the networks the first small one.

    Raises:
        DemoError: something is missing, a case is to be labelled and tested, or no class can be reported.
    """
    described = _first(folder, "Dataset*/dataset.json")
    if not class_labels(json.loads(described.read_text())):
        raise DemoError(
            f'{described} has no class with one label of its own under "labels", and the report of this demo '
            "leaves regions out. Call nnunet_slpt_plan, nnUNetv2_train and the other commands yourself: they "
            "work with regions."
        )
    split = json.loads(_first(folder, "split.json").read_text())
    if not isinstance(split, dict) or not split.get("pool") or not split.get("test"):
        raise DemoError(f'{folder / "split.json"} has no cases under "pool" and "test". {EXPECTED}')
    both = sorted({*split["pool"]} & {*split["test"]})
    if both:
        raise DemoError(
            f'{folder / "split.json"} has {len(both)} cases under both "pool" and "test", expected none, for '
            f"training must not see a test case: {', '.join(both[:5])}{' …' * (len(both) > 5)}. "
            "Take them out of one of the two."
        )
    networks = sorted(folder.glob(f"pretrained/Dataset*/*__*__{CONFIGURATION}/fold_all/checkpoint_final.pth"))
    small = [path for path in networks if "Small" in path.parent.parent.name] or networks
    if not small:
        raise DemoError(f"{folder} has no pretrained network. {EXPECTED}")
    pretrained = small[0].parent.parent
    for name in ("plans.json", "dataset.json"):
        _first(pretrained, name)
    return Task(described.parent, tuple(split["pool"]), tuple(split["test"]), pretrained)


def _first(folder: Path, pattern: str) -> Path:
    """Give the first file that fits."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise DemoError(f"{folder} has no {pattern}. {EXPECTED}")
    return found[0]


def choose(cases: Sequence[str], number: int, seed: int) -> list[str]:
    """Choose cases at random; the same ones whatever the order of the list.

    Raises:
        DemoError: there are not so many.
    """
    if number > len(cases):
        raise DemoError(f"{number} labelled cases are asked for, the pool has {len(cases)}. Lower --cases.")
    return sorted(np.random.default_rng(seed).choice(sorted(cases), number, replace=False).tolist())


def link_dataset(task: Task, images: Sequence[str], labels: Sequence[str], raw_folder: Path) -> Path:
    """Link cases as a dataset of their own, with the same number and name; the test cases have labels too.

    Args:
        task: where they come from.
        images: names of the cases for training.
        labels: those of them that come with a label.
        raw_folder: the folder ``nnUNet_raw``.

    Raises:
        DemoError: a case has no image or no label, or it would be linked to itself.
        ValueError: there is a dataset of this name that is not the demo's.
    """
    description: dict[str, Any] = json.loads((task.dataset / "dataset.json").read_text())
    folder = raw_folder / task.dataset.name
    if folder.resolve() == task.dataset.resolve():
        raise DemoError(f"{folder} is the data itself. Take another output folder.")
    description["description"] = f"Links to {task.dataset}, {MARK}/own_data.py"
    description["numTraining"] = len(labels)
    begin_dataset(folder, description)
    parts = {"imagesTr": images, "labelsTr": labels, "imagesTs": task.test, "labelsTs": task.test}
    for part, cases in parts.items():
        kind = part[:-2]
        suffix = "_[0-9][0-9][0-9][0-9]" if kind == "images" else ""
        for case in cases:
            _link(task.dataset / f"{kind}Tr", f"{case}{suffix}{description['file_ending']}", folder / part)
    return folder


def _link(source: Path, pattern: str, target: Path) -> None:
    """Link every file that fits."""
    files = sorted(source.glob(pattern))
    if not files:
        raise DemoError(f"{source} has no {pattern}, which split.json asks for. {EXPECTED}")
    for file in files:
        link = target / file.name
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
