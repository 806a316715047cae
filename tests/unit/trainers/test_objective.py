"""One prompt's loss over the outputs of deep supervision, as labels and plans ask for it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss, TverskyLoss
from nnunet_slpt.trainers.objective import deep_supervision_weights, prompt_objective


def objective(
    pair: tuple[float, float] = (0.5, 0.5),
    outputs: int = 3,
    config: PromptConfig = PromptConfig(),  # noqa: B008  # it is frozen
    batch_dice: bool = False,
    gather: bool = False,
    **labels: Any,
) -> Any:
    about = SimpleNamespace(**{"has_regions": False, "ignore_label": None} | labels)
    return prompt_objective(pair, config, about, batch_dice=batch_dice, gather=gather, outputs=outputs)


@pytest.fixture
def levels() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Logits and label maps of three outputs, finest first."""
    draw = torch.Generator().manual_seed(0)
    sizes = (8, 4, 2)
    return (
        [torch.randn(2, 3, size, size, generator=draw) for size in sizes],
        [torch.randint(0, 3, (2, 1, size, size), generator=draw) for size in sizes],
    )


@pytest.mark.parametrize("outputs", [1, 2, 3, 6])
def test_weights_sum_to_one_and_halve(outputs: int) -> None:
    weights = deep_supervision_weights(outputs)
    assert sum(weights) == pytest.approx(1)
    used = weights[:-1] or weights
    assert all(one == pytest.approx(2 * next_) for one, next_ in itertools.pairwise(used))


@pytest.mark.parametrize("outputs", [2, 3, 6])
def test_the_coarsest_of_several_outputs_has_no_weight(outputs: int) -> None:
    assert [weight == 0 for weight in deep_supervision_weights(outputs)] == [False] * (outputs - 1) + [True]


def test_the_loss_is_the_weighted_sum_over_outputs(levels: Any) -> None:
    one = PromptLoss(0.3, 0.7)
    expected = sum(
        weight * one(logits, target)
        for weight, logits, target in zip((2 / 3, 1 / 3, 0), *levels, strict=True)
    )
    torch.testing.assert_close(objective((0.3, 0.7))(*levels), expected)


def test_without_deep_supervision_one_tensor(levels: Any) -> None:
    logits, target = levels[0][0], levels[1][0]
    assert torch.equal(objective(outputs=0)(logits, target), PromptLoss(0.5, 0.5)(logits, target))


def test_the_pair_decides_what_an_error_costs() -> None:
    """Too much foreground costs the precise prompt more than the one that seeks recall."""
    target = torch.zeros(1, 1, 8, 8).long()
    target[..., 0] = 1
    logits = torch.stack([torch.zeros(8, 8), torch.full((8, 8), 5.0)])[None]
    recall, precision = (objective(pair, outputs=0)(logits, target) for pair in ((0.3, 0.7), (0.7, 0.3)))
    assert recall < precision


def test_an_ignore_label_is_passed_on(levels: Any) -> None:
    logits, target = [level[:, :2] for level in levels[0]], levels[1]
    changed = [level + 9.0 * (label == 2) for level, label in zip(logits, target, strict=True)]
    loss = objective(ignore_label=2)
    assert torch.equal(loss(logits, target), loss(changed, target))


@pytest.mark.parametrize(("tversky", "entropy"), [(1.0, 1.0), (2.0, 0.5), (0.0, 1.0), (3.0, 0.0)])
def test_lambda_one_weighs_tversky_and_lambda_two_cross_entropy(
    levels: Any, tversky: float, entropy: float
) -> None:
    logits, target = levels[0][0], levels[1][0]
    config = PromptConfig(weight_tversky=tversky, weight_cross_entropy=entropy)
    expected = tversky * TverskyLoss(0.3, 0.7)(logits, target)
    expected = expected + entropy * torch.nn.functional.cross_entropy(logits, target[:, 0])
    found = objective((0.3, 0.7), outputs=0, config=config)(logits, target)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("batch_dice", "expected"), [(False, (1 - 1 / 2 + 1 - 3 / 4) / 2), (True, 1 - 4 / 6)]
)
def test_counts_are_of_a_sample_or_of_the_batch(batch_dice: bool, expected: float) -> None:
    """One of two voxels is found in the one sample, three of four in the other; nothing is found falsely."""
    target, found = torch.zeros(2, 1, 8).long(), torch.zeros(2, 8)
    target[0, 0, :2] = target[1, 0, :4] = 1
    found[0, :1] = found[1, :3] = 1
    logits = 40 * torch.stack([1 - found, found], 1)
    config = PromptConfig(weight_cross_entropy=0)
    loss = objective((0.0, 1.0), outputs=0, config=config, batch_dice=batch_dice)(logits, target)
    assert float(loss) == pytest.approx(expected, abs=1e-4)


def test_of_regions_each_is_a_question_of_its_own(levels: Any) -> None:
    logits = levels[0][0]
    target = (logits.roll(1, 2) > 0).float()
    expected = PromptLoss(0.5, 0.5, regions=True)(logits, target)
    assert torch.equal(objective(outputs=0, has_regions=True)(logits, target), expected)


@pytest.mark.parametrize("gather", [True, False])
def test_ranks_are_counted_together_if_asked_for(gather: bool) -> None:
    """What that does, tests/unit/losses/test_tversky.py says."""
    assert objective(outputs=0, batch_dice=True, gather=gather).tversky.gather == gather
