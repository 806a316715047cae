"""What trainers/views.py assumes of nnU-Net's augmentation and data loader."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_slpt.trainers.views import _APPEARANCE, _GEOMETRY, _READ_ONLY, MultiViewTransform, view_pipelines


def stock(dummy_2d: bool = False) -> ComposeTransforms:
    return nnUNetTrainer.get_training_transforms(
        np.array([8, 8, 8]), (-0.5, 0.5), [[1, 1, 1], [0.5, 0.5, 0.5]], (0, 1, 2), dummy_2d
    )


def steps_by_name(pipeline: ComposeTransforms) -> dict[str, list[tuple[Any, Any]]]:
    """(step, what RandomTransform holds) for each kind of step."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    for step in pipeline.transforms:
        inner = getattr(step, "transform", step)
        found.setdefault(type(inner).__name__, []).append((step, inner))
    return found


def test_the_stock_pipeline_is_a_list_of_steps() -> None:
    assert type(stock()) is ComposeTransforms
    assert isinstance(stock().transforms, list)
    assert stock() is not stock()


KNOBS = [
    (kind, name, change)
    for table in (_APPEARANCE, _GEOMETRY)
    for kind, knobs in table.items()
    for name, change in knobs.items()
]


@pytest.mark.parametrize(("kind", "name", "change"), KNOBS, ids=[f"{kind}.{name}" for kind, name, _ in KNOBS])
def test_each_parameter_exists_and_can_be_turned_up(kind: str, name: str, change: Any) -> None:
    for step, inner in steps_by_name(stock())[kind]:
        owner = step if hasattr(step, name) else inner
        value = getattr(owner, name)
        assert repr(change(value, 2.0)) != repr(value)


def test_the_first_steps_only_read() -> None:
    assert set(steps_by_name(stock(dummy_2d=True))) >= _READ_ONLY
    pipeline = stock(dummy_2d=True)
    head = pipeline.transforms[: len(_READ_ONLY)]
    assert {type(step).__name__ for step in head} == _READ_ONLY
    image, segmentation = torch.rand(1, 8, 12, 12), torch.ones(1, 8, 12, 12, dtype=torch.int16)
    before = image.clone(), segmentation.clone()
    for _ in range(20):
        data = {"image": image, "segmentation": segmentation}
        for step in head:
            data = step(**data)
    assert torch.equal(image, before[0])
    assert torch.equal(segmentation, before[1])


def test_stock_writes_into_the_crop() -> None:
    """Why views need copies. If this fails nnU-Net has become kinder, and the copies can go."""
    image = torch.rand(1, 8, 8, 8)
    before = image.clone()
    for _ in range(60):
        stock()(image=image, segmentation=torch.ones(1, 8, 8, 8, dtype=torch.int16))
    assert not torch.equal(image, before)


class _OneCase:
    """As much of nnU-Net's dataset as its data loader uses."""

    identifiers = ("case",)

    def load_case(self, _: str) -> tuple[Any, Any, None, dict[str, Any]]:
        segmentation = np.zeros((1, 20, 20, 20), dtype=np.int16)
        segmentation[:, 5:15, 5:15, 5:15] = 1
        image = np.random.default_rng(0).normal(size=(2, 20, 20, 20)).astype(np.float32)
        return image, segmentation, None, {"class_locations": {1: np.argwhere(segmentation == 1)}}


def test_the_data_loader_stacks_views() -> None:
    views = MultiViewTransform(view_pipelines([stock() for _ in range(3)]))
    labels = SimpleNamespace(all_labels=[0, 1], has_ignore_label=False)
    loader = nnUNetDataLoader(_OneCase(), 2, (12, 12, 12), (8, 8, 8), labels, 0.5, transforms=views)
    batch = next(SingleThreadedAugmenter(loader, None))
    assert batch["data"].shape == (2, 3, 2, 8, 8, 8)
    assert [tuple(level.shape) for level in batch["target"]] == [(2, 3, 1, 8, 8, 8), (2, 3, 1, 4, 4, 4)]
