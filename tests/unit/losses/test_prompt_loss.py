"""The loss of one prompt: nnU-Net's own compound loss at alpha = beta = 0.5, and its conventions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses import PromptLoss, TverskyLoss

IGNORE = 3  # nnU-Net's ignore label is the highest one, one past the last channel


def labelled(*grid: int, batch: int = 2, with_ignore: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, 3, *grid, generator=generator)
    target = torch.randint(0, 3 + with_ignore, (batch, 1, *grid), generator=generator, dtype=torch.int16)
    return logits, target


def in_regions(*grid: int, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of 3 regions; targets of 3 regions and the ignore channel."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, 3, *grid, generator=generator)
    return logits, torch.rand(batch, 4, *grid, generator=generator) > 0.6


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("ignore_label", [None, IGNORE])
def test_halves_equal_the_hosts_loss(ignore_label: int | None, batch_dice: bool) -> None:
    host = pytest.importorskip("nnunetv2.training.loss.compound_losses")
    dice = pytest.importorskip("nnunetv2.training.loss.dice").MemoryEfficientSoftDiceLoss
    logits, target = labelled(6, 5, 4, with_ignore=ignore_label is not None)
    # Dice counts true positives twice, above and below: nnU-Net's smooth is twice ours.
    settings = {"batch_dice": batch_dice, "smooth": 2e-5, "do_bg": False, "ddp": False}
    theirs = host.DC_and_CE_loss(settings, {}, ignore_label=ignore_label, dice_class=dice)
    ours = PromptLoss(0.5, 0.5, ignore_label=ignore_label, batch_dice=batch_dice)
    torch.testing.assert_close(ours(logits, target) - 1, theirs(logits, target))


def test_halves_equal_the_hosts_loss_for_regions() -> None:
    host = pytest.importorskip("nnunetv2.training.loss.compound_losses")
    logits, target = in_regions(6, 5, 4)
    settings = {"batch_dice": False, "smooth": 2e-5, "do_bg": True, "ddp": False}
    theirs = host.DC_and_BCE_loss({}, settings)
    ours = PromptLoss(0.5, 0.5, regions=True)
    torch.testing.assert_close(ours(logits, target[:, :3]) - 1, theirs(logits, target[:, :3]))


def test_ignored_regions_differ_from_the_host_by_the_number_of_regions() -> None:
    """With an ignore label nnU-Net divides its binary cross-entropy by the voxels alone."""
    host = pytest.importorskip("nnunetv2.training.loss.compound_losses")
    logits, target = in_regions(6, 5, 4)
    settings = {"batch_dice": False, "smooth": 2e-5, "do_bg": True, "ddp": False}
    theirs = host.DC_and_BCE_loss({}, settings, use_ignore_label=True)
    ours = PromptLoss(0.5, 0.5, weight_cross_entropy=3, regions=True, ignore_label=IGNORE)
    torch.testing.assert_close(ours(logits, target) - 1, theirs(logits, target))


def test_ignored_voxels_might_as_well_not_be_there() -> None:
    logits, target = labelled(60, batch=1, with_ignore=True)
    keep = target[0, 0] != IGNORE
    ours = PromptLoss(0.3, 0.7, ignore_label=IGNORE)(logits, target)
    torch.testing.assert_close(ours, PromptLoss(0.3, 0.7)(logits[..., keep], target[..., keep]))


def test_ignored_voxels_might_as_well_not_be_there_in_regions() -> None:
    logits, target = in_regions(60, batch=1)
    keep = ~target[0, -1]
    ours = PromptLoss(0.3, 0.7, regions=True, ignore_label=IGNORE)(logits, target)
    kept = PromptLoss(0.3, 0.7, regions=True)(logits[..., keep], target[:, :3, keep])
    torch.testing.assert_close(ours, kept)


def test_regions_by_hand() -> None:
    logits, target = in_regions(7, 6)
    regions = target[:, :3].float()
    p = logits.sigmoid()
    entropy = -(regions * p.log() + (1 - regions) * (1 - p).log()).mean()
    tversky = TverskyLoss(0.3, 0.7, regions=True)(logits, regions)
    loss = PromptLoss(0.3, 0.7, weight_tversky=2, weight_cross_entropy=0.5, regions=True)
    torch.testing.assert_close(loss(logits, regions), 2 * tversky + 0.5 * entropy)


def test_weights_switch_terms_off() -> None:
    logits, target = labelled(7, 6)
    entropy = functional.cross_entropy(logits, target[:, 0].long())
    torch.testing.assert_close(PromptLoss(0.3, 0.7, weight_tversky=0)(logits, target), entropy)
    tversky = TverskyLoss(0.3, 0.7)(logits, target)
    torch.testing.assert_close(PromptLoss(0.3, 0.7, weight_cross_entropy=0)(logits, target), tversky)


@pytest.mark.parametrize("regions", [False, True])
def test_everything_ignored_teaches_nothing(regions: bool) -> None:
    logits = torch.randn(2, 3, 5, 5, requires_grad=True)
    target = torch.full((2, 1, 5, 5), IGNORE)
    if regions:
        target = torch.cat([torch.zeros(2, 3, 5, 5), torch.ones(2, 1, 5, 5)], 1)
    loss = PromptLoss(0.3, 0.7, regions=regions, ignore_label=IGNORE)(logits, target)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_empty_targets_are_finite(regions: bool, size: float) -> None:
    logits = (size * torch.randn(2, 3, 5, 5)).requires_grad_()
    loss = PromptLoss(0.3, 0.7, regions=regions)(logits, torch.zeros(2, 3 if regions else 1, 5, 5))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("ignore_label", [None, IGNORE])
def test_gradient_in_double(regions: bool, ignore_label: int | None) -> None:
    logits, target = in_regions(3, 2) if regions else labelled(3, 2, with_ignore=ignore_label is not None)
    if regions and ignore_label is None:
        target = target[:, :3]
    loss = PromptLoss(0.3, 0.7, regions=regions, ignore_label=ignore_label)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (logits.double().requires_grad_(),))


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(regions: bool, dtype: torch.dtype) -> None:
    logits, target = in_regions(32, 32, 80) if regions else labelled(32, 32, 80, with_ignore=True)
    loss = PromptLoss(0.3, 0.7, regions=regions, ignore_label=IGNORE)
    with torch.autocast("cpu", torch.bfloat16):
        half = loss(logits.to(dtype), target)
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(loss(logits, target).item(), abs=2e-3)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int64, torch.float32])
def test_any_number_type_of_labels(dtype: torch.dtype) -> None:
    logits, target = labelled(6, 5, with_ignore=True)
    loss = PromptLoss(0.3, 0.7, ignore_label=IGNORE)
    assert loss(logits, target.to(dtype)) == loss(logits, target)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int16, torch.float32])
def test_any_number_type_of_regions(dtype: torch.dtype) -> None:
    logits, target = in_regions(6, 5)
    loss = PromptLoss(0.3, 0.7, regions=True, ignore_label=IGNORE)
    assert loss(logits, target.to(dtype)) == loss(logits, target)


def test_refuses_a_target_without_the_ignore_channel() -> None:
    logits, target = in_regions(6, 5)
    with pytest.raises(ArchitectureError, match="one-hot regions"):
        PromptLoss(0.5, 0.5, regions=True, ignore_label=IGNORE)(logits, target[:, :3])
