"""One prompt's loss over the outputs of deep supervision, as labels and plans ask for it."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss
from nnunet_slpt.trainers.objective import deep_supervision_weights, prompt_objective


def objective(pair: tuple[float, float] = (0.5, 0.5), outputs: int = 3, **labels: Any) -> Any:
    about = SimpleNamespace(**{"has_regions": False, "ignore_label": None} | labels)
    return prompt_objective(pair, PromptConfig(), about, batch_dice=False, gather=False, outputs=outputs)


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
