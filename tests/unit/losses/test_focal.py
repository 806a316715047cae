"""The focal loss: equal to MONAI's and to cross-entropy, and other labels go where they were sent."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.losses import FocalLoss


def some_case(
    channels: int = 3, labels: int = 3, grid: tuple[int, ...] = (6, 5)
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, channels, *grid, generator=generator)
    return logits, torch.randint(0, labels, (2, 1, *grid), generator=generator)


@pytest.mark.parametrize("gamma", [0, 0.5, 1, 2, 3.5])
@pytest.mark.parametrize("grid", [(6, 5), (6, 5, 4)])
def test_equals_its_formula(gamma: float, grid: tuple[int, ...]) -> None:
    logits, target = some_case(grid=grid)
    p = logits.softmax(1).gather(1, target).double()
    expected = -((1 - p) ** gamma * p.log()).mean().float()
    torch.testing.assert_close(FocalLoss([0, 1, 2], gamma=gamma)(logits, target), expected)


def test_equals_monai() -> None:
    monai = pytest.importorskip("monai.losses")
    logits, target = some_case(grid=(6, 5, 4))
    theirs = monai.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=2)(logits, target)
    # MONAI divides by the channels too, of which all but one are zero.
    torch.testing.assert_close(FocalLoss([0, 1, 2])(logits, target), 3 * theirs)


def test_without_gamma_it_is_cross_entropy() -> None:
    logits, target = some_case()
    expected = functional.cross_entropy(logits, target[:, 0])
    torch.testing.assert_close(FocalLoss([0, 1, 2], gamma=0)(logits, target), expected)


def test_channels_are_in_the_order_of_the_labels() -> None:
    logits, target = some_case()
    loss = FocalLoss([2, 0, 1])(logits[:, [2, 0, 1]], target)
    torch.testing.assert_close(loss, FocalLoss([0, 1, 2])(logits, target))


def test_other_labels_are_background_or_left_out() -> None:
    logits, target = some_case(channels=2, labels=4)
    as_background = torch.where(target == 3, 1, 0)
    whole = FocalLoss([0, 1])(logits, as_background)
    torch.testing.assert_close(FocalLoss([0, 3])(logits, target), whole)
    kept = (target == 0) | (target == 3)
    flat = logits.movedim(1, -1)[kept[:, 0]].T[None]
    left_out = FocalLoss([0, 1])(flat, as_background[kept][None, None])
    torch.testing.assert_close(FocalLoss([0, 3], others=None)(logits, target), left_out)


def test_others_may_count_as_any_label() -> None:
    logits, target = some_case(channels=2, labels=4)
    expected = FocalLoss([0, 1])(logits, torch.where(target == 0, 0, 1))
    torch.testing.assert_close(FocalLoss([0, 3], others=3)(logits, target.float()), expected)


@pytest.mark.parametrize("others", [0, None])
def test_ignored_voxels_do_not_matter(others: int | None) -> None:
    logits, target = some_case()
    target[:, :, :3] = 9
    loss = FocalLoss([0, 1, 2], others=others, ignore_label=9)
    expected = FocalLoss([0, 1, 2])(logits[:, :, 3:], target[:, :, 3:])
    torch.testing.assert_close(loss(logits, target), expected)


def test_a_case_that_nobody_annotated_gives_zero_with_a_graph() -> None:
    logits = some_case()[0].requires_grad_()
    loss = FocalLoss([0, 1, 2], ignore_label=9)(logits, torch.full((2, 1, 6, 5), 9))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_sure_in_half_precision(dtype: torch.dtype, gamma: float) -> None:
    logits = torch.zeros(1, 2, 2, 2, dtype=dtype)
    logits[:, 0], logits[:, 1, 0] = 3e4, -3e4
    target = torch.tensor([[[[0, 1], [0, 1]]]])
    logits.requires_grad_()
    loss = FocalLoss([0, 1], gamma=gamma)(logits, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradient_in_double() -> None:
    logits, target = some_case(grid=(3, 2), labels=4)
    loss = FocalLoss([0, 1, 2], others=None)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (logits.double().requires_grad_(),))


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": [1]},
        {"labels": [0, 1, 1]},
        {"labels": [0, 1], "ignore_label": 1},
        {"labels": [1, 2]},
        {"labels": [0, 1], "gamma": -1},
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        FocalLoss(**settings)  # type: ignore[arg-type]


def test_shapes_that_do_not_fit() -> None:
    logits, target = some_case()
    with pytest.raises(ArchitectureError, match="got 3 channels, expected 2"):
        FocalLoss([0, 1])(logits, target)
    with pytest.raises(ArchitectureError, match="expected a label map"):
        FocalLoss([0, 1, 2])(logits, target[:, 0])
