"""The measures of uncertainty, against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nnunet_slpt.selection import uncertainty
from nnunet_slpt.selection.uncertainty import (
    AGGREGATIONS,
    MEASURES,
    Near,
    aggregate,
    case_uncertainty,
    voxel_maps,
)

each_kind = pytest.mark.parametrize("regions", [False, True])


def logits(prompts: int = 3, grid: tuple[int, ...] = (4, 5, 6), seed: int = 0) -> Tensor:
    return 2 * torch.randn(prompts, 3, *grid, generator=torch.Generator().manual_seed(seed))


def probabilities(given: Tensor, regions: bool) -> Tensor:
    return given.double().sigmoid() if regions else given.double().softmax(1)


def divergence(one: Tensor, other: Tensor, regions: bool) -> Tensor:
    """KL(one | other) over the classes; of each region's two outcomes."""
    terms = one * (one / other).log()
    if regions:
        terms = terms + (1 - one) * ((1 - one) / (1 - other)).log()
    return terms.sum(1)


@each_kind
def test_inter_prompt_is_the_mean_divergence_from_the_mean(regions: bool) -> None:
    given = logits()
    each = probabilities(given, regions)
    expected = divergence(each, each.mean(0, keepdim=True), regions).mean(0)
    maps = voxel_maps(given, regions)
    torch.testing.assert_close(maps["inter_prompt"].double(), expected, atol=1e-5, rtol=1e-4)


@each_kind
def test_inter_and_intra_add_up_to_the_predictive_entropy(regions: bool) -> None:
    given = logits()
    maps = voxel_maps(given, regions)
    mean = probabilities(given, regions).mean(0)
    entropy = -(mean * mean.log()).sum(0)
    if regions:
        entropy = entropy - ((1 - mean) * (1 - mean).log()).sum(0)
    torch.testing.assert_close(maps["entropy"].double(), entropy, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(maps["inter_prompt"] + maps["intra_prompt"], maps["entropy"])


def test_prompts_that_agree_differ_in_nothing_but_may_all_be_unsure() -> None:
    maps = voxel_maps(torch.zeros(3, 4, 2, 2), regions=False)
    assert maps["inter_prompt"].max() < 1e-6
    torch.testing.assert_close(maps["intra_prompt"], torch.full((2, 2), math.log(4)))


def test_prompts_that_are_sure_of_different_things_differ_as_much_as_can_be() -> None:
    certain = torch.full((2, 2, 1, 1), -50.0)
    certain[0, 0] = certain[1, 1] = 50.0
    maps = voxel_maps(certain, regions=False)
    assert float(maps["inter_prompt"]) == pytest.approx(math.log(2))
    assert float(maps["intra_prompt"]) == pytest.approx(0)


@each_kind
def test_working_in_parts_changes_nothing(regions: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = voxel_maps(logits(), regions)
    monkeypatch.setattr(uncertainty, "VOXELS_AT_ONCE", 21)
    for name, values in voxel_maps(logits(), regions).items():
        torch.testing.assert_close(values, whole[name])


class Largest(TorchDispatchMode):
    """The most values that a new tensor has."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.given, self.values = given.untyped_storage().data_ptr(), 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.untyped_storage().data_ptr() != self.given:
            self.values = max(self.values, made.numel())
        return made


def test_many_classes_take_no_more_memory_than_their_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.randn(3, 50, 12, 12, 12)
    monkeypatch.setattr(uncertainty, "VOXELS_AT_ONCE", 50 * 40)
    with Largest(given) as largest:
        case_uncertainty(given, regions=False, axes=3)
    assert largest.values == 4 * 12**3  # a number for each voxel, of the mean and of each prompt


def test_half_precision_logits_give_finite_numbers() -> None:
    extreme = logits().half() * 1000
    scores = case_uncertainty(extreme, regions=False, axes=3).scores
    assert all(math.isfinite(score) for score in scores.values())


@each_kind
def test_prompt_dice_is_one_minus_the_mean_dice_of_pairs(regions: bool) -> None:
    given = logits()
    if regions:
        masks = (given > 0).flatten(2).numpy()
    else:
        labels = given.argmax(1).flatten(1).numpy()
        masks = np.stack([labels == 1, labels == 2], 1)
    losses = [
        1 - 2 * (masks[a, c] & masks[b, c]).sum() / (masks[a, c].sum() + masks[b, c].sum())
        for a, b in ((0, 1), (0, 2), (1, 2))
        for c in range(masks.shape[1])
    ]
    assert case_uncertainty(given, regions, axes=3).scores["prompt_dice"] == pytest.approx(np.mean(losses))


def test_prompt_dice_without_any_foreground_is_zero() -> None:
    background = torch.zeros(3, 2, 4, 4)
    background[:, 0] = 5
    assert case_uncertainty(background, regions=False, axes=3).scores["prompt_dice"] == 0
    assert case_uncertainty(logits(prompts=1), regions=False, axes=3).scores["prompt_dice"] == 0


def test_a_class_is_scored_over_the_voxels_predicted_as_it() -> None:
    given = torch.zeros(2, 3, 1, 4)
    given[:, 1, :, :2] = 3.0  # two voxels of class 1, none of class 2
    given[:, 0, :, 2:] = 9.0
    uncertain = case_uncertainty(given, regions=False, axes=3)
    entropy = voxel_maps(given, regions=False)["entropy"]
    assert uncertain.class_entropy[0] == pytest.approx(float(entropy[0, 0]))
    assert np.isnan(uncertain.class_entropy[1])


def test_every_measure_has_every_aggregation() -> None:
    scores = case_uncertainty(logits(grid=(7, 8)), regions=False, axes=3).scores
    expected = {f"{measure}/{how}" for measure in MEASURES for how in AGGREGATIONS} | {"prompt_dice"}
    assert scores.keys() == expected


def test_foreground_is_dilated_by_two_voxels() -> None:
    values, labels = torch.zeros(9, 9), torch.zeros(1, 9, 9, dtype=torch.bool)
    labels[0, 4, 4] = True
    values[2:7, 2:7] = 1
    near = Near.of(labels, axes=3)
    assert aggregate(values, near, "foreground") == 1
    values[2, 2] = 0
    assert aggregate(values, near, "foreground") == pytest.approx(24 / 25)


def test_slices_of_a_flat_network_have_no_rim_between_them() -> None:
    labels = torch.zeros(1, 9, 9, 9, dtype=torch.bool)
    labels[0, 4, 4, 4] = True
    assert len(Near.of(labels, axes=3).foreground) == 125
    assert len(Near.of(labels, axes=2).foreground) == 25
    slices = torch.zeros(3, 2, 9, 9, 9)
    slices[:, 1, 4, 4, 4] = torch.tensor([3.0, 5.0, 7.0])
    scores = [case_uncertainty(slices, regions=False, axes=axes).scores for axes in (3, 2)]
    assert scores[1]["entropy/classes"] != scores[0]["entropy/classes"]
    assert scores[1]["entropy/mean"] == scores[0]["entropy/mean"]


def test_each_class_counts_alike_however_small_it_is() -> None:
    values, labels = torch.zeros(40, 40), torch.zeros(3, 40, 40, dtype=torch.bool)
    labels[0, :20] = True  # a large organ, sure
    labels[1, 30, 30] = True  # a lesion of one voxel, unsure; and a third class that is not predicted
    values[28:33, 28:33] = 1
    near, organ = Near.of(labels, axes=3), Near.of(labels[:1], axes=3)
    assert aggregate(values, near, "classes") == pytest.approx(0.5)
    assert aggregate(values, near, "foreground") == pytest.approx(25 / (22 * 40 + 25))
    assert aggregate(values, organ, "classes") == aggregate(values, organ, "foreground")


def by_the_formula(values: Tensor, labels: Tensor, how: str) -> Tensor:
    """Class by class, with the whole box around each voxel: as it was computed before, and far slower."""
    if how == "classes":
        there = labels[labels.flatten(1).any(1)]
        return torch.stack([by_the_formula(values, one[None], "foreground") for one in there]).mean()
    pool = {2: F.max_pool2d, 3: F.max_pool3d}[values.ndim]
    return values[pool(labels.any(0)[None, None].float(), 5, 1, 2)[0, 0].bool()].mean()


@pytest.mark.parametrize("grid", [(9, 14, 11), (1, 13, 12), (2, 9, 3), (17, 21)])
@each_kind
def test_rims_that_are_found_once_give_the_same_bits(grid: tuple[int, ...], regions: bool) -> None:
    given = logits(grid=grid)
    given[:, 0] += 2 * (not regions)  # sparse
    maps = voxel_maps(given, regions)
    scores = case_uncertainty(given, regions, axes=3).scores
    mean = probabilities(given, regions).mean(0)
    labels = mean > 0.5 if regions else torch.stack([mean.argmax(0) == one for one in (1, 2)])
    assert labels.any()
    for measure in MEASURES:
        for how in ("classes", "foreground"):
            assert scores[f"{measure}/{how}"] == float(by_the_formula(maps[measure], labels, how))


def test_the_rim_of_a_class_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Tensor] = []
    rim = uncertainty._with_rim
    monkeypatch.setattr(uncertainty, "_with_rim", lambda mask, axes: found.append(mask) or rim(mask, axes))
    case_uncertainty(logits(), regions=False, axes=3)
    assert len(found) == 2  # classes, not times measures and aggregations


@each_kind
def test_a_lesion_that_one_prompt_of_three_sees_counts_where_it_sees_it(regions: bool) -> None:
    given = torch.full((3, 3, 20, 20), -4.0)
    given[:, 0] = 4.0 * (not regions)
    given[:, 1, :, :6] = 12.0  # an organ, which all see
    given[0, 2, 12:14, 12:14] = 6.0
    score = case_uncertainty(given, regions, axes=3).scores
    maps = voxel_maps(given, regions)
    seen = torch.zeros(1, 20, 20, dtype=torch.bool)
    seen[0, 12:14, 12:14] = True
    of_lesion = aggregate(maps["inter_prompt"], Near.of(seen, axes=3), "classes")
    assert score["inter_prompt/classes"] == pytest.approx(of_lesion / 2, rel=0.01)


def test_without_foreground_the_top_counts() -> None:
    values = torch.arange(1000.0).view(10, 100)
    nothing = Near.of(torch.zeros(2, 10, 100, dtype=torch.bool), axes=3)
    for how in ("classes", "foreground", "top"):
        assert aggregate(values, nothing, how) == 997


def test_mean_and_sum_are_over_the_whole_image() -> None:
    values, near = torch.rand(4, 5), Near.of(torch.zeros(2, 4, 5, dtype=torch.bool), axes=3)
    assert aggregate(values, near, "mean") == pytest.approx(float(values.mean()))
    assert aggregate(values, near, "sum") == pytest.approx(float(values.sum()))
