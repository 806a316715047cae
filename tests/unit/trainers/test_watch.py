"""When a run is warned about, how often, and with which remedy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from nnunet_slpt.trainers.watch import (
    COLLAPSED_EPOCHS_TO_WARN,
    EMPTY_BATCHES_TO_WARN,
    RunWatch,
    disagreement,
    has_foreground,
)


def logits_of(*segmentations: list[int], classes: int = 3) -> torch.Tensor:
    """(K, 1, classes, voxels) from labels."""
    return torch.nn.functional.one_hot(torch.tensor(segmentations), classes).mT[:, None].float()


@pytest.mark.parametrize(
    ("segmentations", "expected"),
    [
        ([[1, 1, 0, 0], [1, 1, 0, 0]], 0),
        ([[1, 1, 0, 0], [0, 0, 1, 1]], 1),
        ([[1, 1, 0, 0], [2, 2, 0, 0]], 1),
        ([[1, 1, 0, 0], [1, 0, 0, 0]], 1 / 3),
        ([[0, 0, 0, 0], [0, 0, 0, 0]], 0),
        ([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]], 2 / 3),
        ([[1, 1, 0, 0]], 0),
    ],
)
def test_disagreement_is_one_minus_dice_over_pairs(segmentations: list[list[int]], expected: float) -> None:
    assert disagreement(logits_of(*segmentations), region_based=False) == pytest.approx(expected)


def test_disagreement_of_regions_has_no_background_channel() -> None:
    logits = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[:, None, None]
    assert disagreement(logits, region_based=True) == 1
    assert disagreement(-logits.abs(), region_based=True) == 0


def labels(regions: bool, ignore: int | None) -> SimpleNamespace:
    return SimpleNamespace(has_regions=regions, has_ignore_label=ignore is not None, ignore_label=ignore)


@pytest.mark.parametrize(
    ("target", "regions", "ignore", "expected"),
    [
        ([[0, 0]], False, None, False),
        ([[0, 2]], False, None, True),
        ([[0, 2]], False, 2, False),
        ([[1, 2]], False, 2, True),
        ([[0, 0], [0, 1]], True, None, True),
        ([[0, 0], [0, 1]], True, 3, False),
        ([[1, 0], [0, 1]], True, 3, True),
    ],
)
def test_ignored_voxels_are_no_foreground(
    target: list[list[int]], regions: bool, ignore: int | None, expected: bool
) -> None:
    assert has_foreground(torch.tensor(target)[None, None], labels(regions, ignore)) is expected


def test_a_step_that_is_not_finite_is_told_once_a_spell() -> None:
    watch = RunWatch()
    told = [bool(watch.after_step(finite, True)) for finite in (True, False, False, True, False)]
    assert told == [False, True, False, False, True]


def test_a_scaler_may_skip_some_steps() -> None:
    watch = RunWatch(unusable_steps_to_warn=3)
    assert [bool(watch.after_step(False, True)) for _ in range(4)] == [False, False, True, False]


def test_the_warnings_name_a_remedy() -> None:
    assert '"learning_rate"' in str(RunWatch().after_step(False, True))
    watch = RunWatch(empty_batches=EMPTY_BATCHES_TO_WARN - 1)
    assert "patch size" in str(watch.after_step(True, False))
    assert '"weight_diversity"' in str(about_to_warn().after_epoch(torch.ones(2, 2), 0.5))


def about_to_warn() -> RunWatch:
    return RunWatch(collapsed_epochs=COLLAPSED_EPOCHS_TO_WARN - 1)


def test_a_collapse_is_told_once() -> None:
    watch = RunWatch()
    told = [watch.after_epoch(torch.ones(2, 2), 0.5) is not None for _ in range(6)]
    assert told == [False, False, True, False, False, False]


def test_one_batch_with_foreground_starts_the_count_anew() -> None:
    watch = RunWatch(empty_batches=EMPTY_BATCHES_TO_WARN - 1)
    assert not watch.after_step(True, True)
    assert not watch.after_step(True, False)


def test_two_warnings_of_one_step_are_both_told() -> None:
    watch = RunWatch(empty_batches=EMPTY_BATCHES_TO_WARN - 1)
    assert [told.split()[1] for told in watch.after_step(False, False)] == ["the", "no"]


@pytest.mark.parametrize(
    ("cosine", "apart", "warns"),
    [(0.0, 0.1, False), (0.9, 0.1, False), (0.99, 0.1, True), (-0.99, 0.1, True), (0.0, 0.0, True)],
)
def test_prompts_or_predictions_that_are_alike_are_a_collapse(
    cosine: float, apart: float, warns: bool
) -> None:
    cosines = torch.eye(3) + cosine * (1 - torch.eye(3))
    assert (about_to_warn().after_epoch(cosines, apart) is not None) is warns


def test_two_prompts_that_are_alike_are_told_though_the_third_differs() -> None:
    cosines = torch.tensor([[1, 0.2, 0.1], [0.2, 1, -0.99], [0.1, -0.99, 1]])
    assert "-0.990" in str(about_to_warn().after_epoch(cosines, 0.1))


def test_a_single_prompt_cannot_collapse() -> None:
    assert about_to_warn().after_epoch(torch.ones(1, 1), 0.0) is None
