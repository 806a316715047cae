"""The focal loss: equal to its formula and to MONAI's, over the voxels that count alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses import focal_loss

Case = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def some_case(*grid: int) -> Case:
    """Logits, target and which voxels count."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, *grid, generator=generator)
    target, counts = (torch.rand(2, 1, *grid, generator=generator) > 0.5 for _ in range(2))
    return logits, target, counts


@pytest.mark.parametrize("grid", [(6, 5), (6, 5, 4)])
@pytest.mark.parametrize("size", [0.1, 1, 10])
def test_equals_its_formula(grid: tuple[int, ...], size: float) -> None:
    logits, target, counts = some_case(*grid)
    logits *= size
    p = torch.where(target, logits, -logits)[counts].double().sigmoid()
    expected = (-((1 - p) ** 2) * p.log()).mean().float()
    torch.testing.assert_close(focal_loss(logits, target, counts), expected)


def test_equals_that_of_two_channels() -> None:
    """The softmax of (0, logit), the form in which a loss of several classes has it."""
    logits, target, counts = some_case(6, 5, 4)
    log_p = torch.cat([torch.zeros_like(logits), logits], 1).log_softmax(1).gather(1, target.long())
    expected = (-((1 - log_p.exp()) ** 2) * log_p)[counts].mean()
    torch.testing.assert_close(focal_loss(logits, target, counts), expected)


def test_equals_monai() -> None:
    monai = pytest.importorskip("monai.losses")
    logits, target, _ = some_case(6, 5, 4)
    theirs = monai.FocalLoss(gamma=2)(logits, target.float())
    torch.testing.assert_close(focal_loss(logits, target, torch.ones_like(target)), theirs)


def test_less_than_cross_entropy_above_all_where_it_is_sure() -> None:
    target = torch.ones(1, 1, 1, dtype=torch.bool)
    unsure, sure = torch.zeros(1, 1, 1), torch.full((1, 1, 1), 3.0)
    shares = [
        focal_loss(logits, target, target) / functional.binary_cross_entropy_with_logits(logits, target * 1.0)
        for logits in (unsure, sure)
    ]
    assert shares[0].item() == pytest.approx(1 / 4)
    assert shares[1] < 0.01


def test_voxels_that_do_not_count_might_as_well_not_be_there() -> None:
    logits, target, counts = some_case(6, 5)
    kept = (tensor[counts][None, None] for tensor in (logits, target, counts))
    torch.testing.assert_close(focal_loss(logits, target, counts), focal_loss(*kept))


def test_a_case_that_nobody_annotated_gives_zero_with_a_graph() -> None:
    logits, target, counts = some_case(6, 5)
    logits.requires_grad_()
    loss = focal_loss(logits, target, torch.zeros_like(counts))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sure_in_half_precision(dtype: torch.dtype) -> None:
    logits = torch.tensor([3e4, 3e4, -3e4, -3e4], dtype=dtype).view(1, 1, 2, 2).requires_grad_()
    target = torch.tensor([True, False, True, False]).view(1, 1, 2, 2)
    loss = focal_loss(logits, target, torch.ones_like(target))
    loss.backward()
    assert loss.dtype == torch.float32
    assert math.isfinite(loss.item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_gradient_in_double() -> None:
    logits, target, counts = some_case(3, 2)
    assert torch.autograd.gradcheck(
        lambda x: focal_loss(x, target, counts), (logits.double().requires_grad_(),)
    )


def test_shapes_that_do_not_fit() -> None:
    logits, target, counts = some_case(6, 5)
    with pytest.raises(ArchitectureError, match="expected the same shape"):
        focal_loss(logits, target[:, 0], counts)
    with pytest.raises(ArchitectureError, match="expected the same shape"):
        focal_loss(logits.expand(-1, 2, -1, -1), target, counts)
