"""The estimate against what autograd keeps, and how it grows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_punets import images, network

from nnunet_slpt.networks.punet.memory import gigabytes, numbers_kept, numbers_within
from nnunet_slpt.networks.punet.plan import BodyPlan


def plan_of(axes: int = 3, **unlike: Any) -> BodyPlan:
    """The published features, three stages."""
    measures = {
        "input_channels": 1,
        "patch_size": [32] * axes,
        "features_per_stage": [32, 64, 128],
        "kernel_sizes": [[3] * axes] * 3,
        "strides": [[1] * axes, [2] * axes, [2] * axes],
    }
    return BodyPlan(**(measures | unlike))


def kept_by_autograd(made: Any, x: torch.Tensor) -> float:
    """Numbers in all tensors that the backward pass will ask for, each memory once, without the weights."""
    own = {weights.untyped_storage().data_ptr() for weights in made.parameters()}
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that its memory is not reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made(x, ["organ"])
    return sum(size for size, _ in kept.values()) / 4 / len(x)


@pytest.mark.parametrize(
    ("axes", "size", "features"),
    [
        # Masks and biases of pairs do not grow with the patch, and weigh more beside narrow features.
        (3, (16, 40, 48), [4, 8, 12]),
        (2, (128, 96), [4, 8, 12]),
        *((3, (8, 20, 24), wide) for wide in ([32, 64, 128], [128, 128, 128])),
        *((2, (64, 48), wide) for wide in ([32, 64, 128], [128, 128, 128])),
    ],
)
def test_it_is_near_what_autograd_keeps(axes: int, size: tuple[int, ...], features: list[int]) -> None:
    made = network("organ", axes=axes, patch_size=size, features_per_stage=features, tokens=16)
    x = torch.randn(1, 2, *size)
    assert numbers_kept(made.body.plan, 16) == pytest.approx(kept_by_autograd(made, x), rel=0.03)


@pytest.mark.parametrize("axes", [2, 3])
def test_a_frozen_body_keeps_no_more(axes: int) -> None:
    made = network("organ", axes=axes)
    everything = kept_by_autograd(made, images(axes))
    made.tune(["organ"])
    assert kept_by_autograd(made, images(axes)) < everything


def test_it_grows_with_voxels_tokens_and_features() -> None:
    base = numbers_kept(plan_of())
    assert numbers_kept(plan_of(patch_size=[32, 32, 64])) == 2 * base
    assert numbers_kept(plan_of(), tokens=32) > base
    assert numbers_kept(plan_of(features_per_stage=[64, 64, 128])) > base


def test_windows_that_do_not_fit_are_padded() -> None:
    # Five voxels take two windows of three, so they are as six are.
    flat = {"strides": [[1, 1], [1, 1]], "kernel_sizes": [[3, 3]] * 2, "features_per_stage": [8, 8]}
    nine, ten = (numbers_kept(plan_of(2, patch_size=[size, 8], **flat)) for size in (9, 10))
    assert ten - nine < nine / 20


def test_gigabytes_and_numbers_agree() -> None:
    plan = plan_of()
    memory = gigabytes(plan, batch_size=3, tokens=2)
    assert numbers_within(memory) == pytest.approx(3 * numbers_kept(plan, tokens=2))
    assert gigabytes(plan, 6, tokens=2) - 1 == pytest.approx(2 * (memory - 1))
