"""The Tversky loss: equal to MONAI's, to Dice, to itself on two ranks, and it obeys its laws."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.losses import TverskyLoss


def some_case(
    channels: int = 3, batch: int = 2, grid: tuple[int, ...] = (6, 5, 4), seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, channels, *grid, generator=generator)
    target = torch.randint(0, channels, (batch, 1, *grid), generator=generator)
    return logits, target


def one_hot(target: torch.Tensor, channels: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(target[:, 0].long(), channels).movedim(-1, 1)


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7), (0.7, 0.3)])
@pytest.mark.parametrize("grid", [(6, 5), (6, 5, 4)])
def test_equals_monai(alpha: float, beta: float, batch_dice: bool, grid: tuple[int, ...]) -> None:
    monai = pytest.importorskip("monai.losses")
    logits, target = some_case(grid=grid)
    theirs = monai.TverskyLoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        alpha=alpha,
        beta=beta,
        batch=batch_dice,
    )
    ours = TverskyLoss(alpha, beta, batch_dice=batch_dice)
    torch.testing.assert_close(ours(logits, target), theirs(logits, target))


def test_equals_monai_for_regions() -> None:
    monai = pytest.importorskip("monai.losses")
    logits, _ = some_case()
    target = logits.roll(1, 2) > 0.3
    theirs = monai.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7)
    ours = TverskyLoss(0.3, 0.7, regions=True)
    torch.testing.assert_close(ours(logits, target), theirs(logits, target.float()))


def test_halves_give_dice() -> None:
    logits, target = some_case()
    p, t = logits.softmax(1)[:, 1:], one_hot(target, 3)[:, 1:]
    axes = (2, 3, 4)
    dice = 2 * (p * t).sum(axes) / (p.sum(axes) + t.sum(axes))
    torch.testing.assert_close(TverskyLoss(0.5, 0.5)(logits, target), 1 - dice.mean())


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("batch_dice", [False, True])
def test_gradient_in_double(regions: bool, batch_dice: bool) -> None:
    logits, target = some_case(grid=(3, 2))
    logits = logits.double().requires_grad_()
    target = one_hot(target, 3) if regions else target
    mask = torch.ones(2, 1, 3, 2)
    mask[:, :, 0] = 0
    loss = TverskyLoss(0.3, 0.7, regions=regions, batch_dice=batch_dice)
    assert torch.autograd.gradcheck(lambda x: loss(x, target, mask), (logits,))


def test_mask_equals_keeping_the_voxels() -> None:
    logits, target = some_case(batch=1, grid=(40,))
    mask = torch.rand(1, 1, 40, generator=torch.Generator().manual_seed(1)) > 0.4
    kept = logits[:, :, mask[0, 0]], target[:, :, mask[0, 0]]
    loss = TverskyLoss(0.3, 0.7)
    torch.testing.assert_close(loss(logits, target, mask), loss(*kept))
    torch.testing.assert_close(loss(logits, target, mask.float()), loss(*kept))


def test_batch_dice_counts_over_the_batch() -> None:
    logits, target = some_case()
    together = (
        torch.cat(list(logits), 1)[None],  # two samples side by side are one long sample
        torch.cat(list(target), 1)[None],
    )
    torch.testing.assert_close(
        TverskyLoss(0.3, 0.7, batch_dice=True)(logits, target), TverskyLoss(0.3, 0.7)(*together)
    )


@pytest.mark.parametrize("dtype", [torch.int16, torch.float32, torch.uint8, torch.int64])
def test_any_number_type_of_labels(dtype: torch.dtype) -> None:
    logits, target = some_case()
    loss = TverskyLoss(0.3, 0.7)
    assert loss(logits, target.to(dtype)) == loss(logits, target)


def test_loss_falls_as_the_prediction_improves() -> None:
    _, target = some_case()
    truth = one_hot(target, 3).float()
    losses = [TverskyLoss(0.3, 0.7)(sharpness * truth, target).item() for sharpness in (-2, 0, 1, 4, 40)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0, abs=1e-6)


def test_alpha_punishes_false_positives_and_beta_false_negatives() -> None:
    target = torch.zeros(1, 1, 100)
    target[..., :50] = 1
    too_much, too_little = torch.zeros(1, 2, 100), torch.zeros(1, 2, 100)
    too_much[:, 1] = torch.where(torch.arange(100) < 80, 20.0, -20.0)
    too_little[:, 1] = torch.where(torch.arange(100) < 20, 20.0, -20.0)
    precise, sensitive = TverskyLoss(0.9, 0.1), TverskyLoss(0.1, 0.9)
    assert precise(too_much, target) > sensitive(too_much, target)
    assert precise(too_little, target) < sensitive(too_little, target)


def test_absent_class_is_finite() -> None:
    logits = torch.randn(1, 3, 8, 8, requires_grad=True)
    loss = TverskyLoss(0.3, 0.7)(logits, torch.zeros(1, 1, 8, 8))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_smooth_is_nnunets() -> None:
    """1e-5 of a class that is nowhere: (0 + 1e-5) / (0 + 0.5 · 1e-5 + 1e-5) = 2 / 3."""
    logits = torch.tensor([0, torch.tensor(1e-5).logit()]).view(1, 2, 1)
    loss = TverskyLoss(0.5, 0.5)(logits, torch.zeros(1, 1, 1))
    assert float(loss) == pytest.approx(1 / 3, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(dtype: torch.dtype) -> None:
    grid = (64, 64, 32)  # 131,072 voxels: past float16's largest number, 65,504
    logits, target = some_case(2, 1, grid)
    target[:] = 1
    exact = TverskyLoss(0.5, 0.5, batch_dice=True)(logits, target)
    loss = TverskyLoss(0.5, 0.5, batch_dice=True)(logits.to(dtype), target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), abs=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(TverskyLoss(0.5, 0.5)(logits, target), exact)


def test_input_is_not_changed() -> None:
    logits, target = some_case()
    before = logits.clone(), target.clone()
    TverskyLoss(0.3, 0.7)(logits, target, torch.ones_like(target))
    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


@pytest.mark.parametrize(("alpha", "beta"), [(0, 0), (-0.1, 0.5), (0.5, -1), (float("nan"), 0.5)])
def test_refuses_weights(alpha: float, beta: float) -> None:
    with pytest.raises(ConfigError, match="expected two numbers"):
        TverskyLoss(alpha, beta)


def test_refuses_shapes() -> None:
    logits, target = some_case()
    with pytest.raises(ArchitectureError, match="a label map of shape"):
        TverskyLoss(0.5, 0.5)(logits, one_hot(target, 3))
    with pytest.raises(ArchitectureError, match="one-hot regions of shape"):
        TverskyLoss(0.5, 0.5, regions=True)(logits, target)
    with pytest.raises(ArchitectureError, match="mask does not fit"):
        TverskyLoss(0.5, 0.5)(logits, target, one_hot(target, 3))
    with pytest.raises(ArchitectureError, match="foreground class"):
        TverskyLoss(0.5, 0.5)(logits[:, :1], target)


def test_two_ranks_equal_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DistributedDataParallel averages gradients over ranks; the average is the whole batch's gradient."""
    logits, target = some_case(batch=2)
    scale = torch.ones(3, 1, 1, 1, requires_grad=True)
    loss = TverskyLoss(0.3, 0.7, batch_dice=True, gather=True)(logits * scale, target)  # not distributed here
    loss.backward()
    assert scale.grad is not None

    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # a spawned child cannot import this test module
    one_rank = importlib.import_module("gloo_rank").one_rank
    spawn(one_rank, (str(tmp_path), logits, target), nprocs=2)  # type: ignore[no-untyped-call]
    results = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [result["loss"] for result in results] == pytest.approx([loss.item()] * 2)
    mean = torch.tensor([result["gradient"] for result in results]).mean(0)
    torch.testing.assert_close(mean, scale.grad.flatten())
