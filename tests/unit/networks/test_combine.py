"""The mean of K predictions, in the log domain."""

from __future__ import annotations

import pytest
import torch

from nnunet_slpt.networks import mean_prediction


def logits(scale: float = 1.0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    drawn = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    return (scale * drawn).to(dtype)


def test_its_softmax_is_the_mean_of_the_softmaxes() -> None:
    x = logits()
    torch.testing.assert_close(mean_prediction(x, False).softmax(1), x.softmax(2).mean(0))
    torch.testing.assert_close(mean_prediction(x, False).exp(), x.softmax(2).mean(0))


def test_its_sigmoid_is_the_mean_of_the_sigmoids() -> None:
    x = logits()
    torch.testing.assert_close(mean_prediction(x, True).sigmoid(), x.sigmoid().mean(0))


@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_it_is_finite_for_certain_prompts_that_contradict_each_other(
    regions: bool, dtype: torch.dtype
) -> None:
    x = logits(1e4, dtype).clamp(-6e4, 6e4).requires_grad_()
    mean = mean_prediction(x, regions)
    mean.sum().backward()
    assert mean.half().isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("regions", [False, True])
def test_one_prompt_is_its_own_mean(regions: bool) -> None:
    x = logits()[:1]
    mean = mean_prediction(x, regions)
    expected = x[0] if regions else x[0].log_softmax(1)
    torch.testing.assert_close(mean, expected)


def test_the_order_of_prompts_does_not_matter() -> None:
    x = logits()
    torch.testing.assert_close(mean_prediction(x, False), mean_prediction(x.flip(0), False))
