"""What one step descends: the paper's loss, each prompt with its own view, its own loss and its own heads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from nnunet_slpt.losses import diversity_loss


@pytest.fixture
def trainer(task: Any) -> Any:
    """About to make its first step, away from where updaters do nothing."""
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.on_train_start()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in tuned(trainer).values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return trainer


def tuned(trainer: Any) -> dict[str, torch.nn.Parameter]:
    return {name: one for name, one in trainer.network.named_parameters() if one.requires_grad}


def with_gradient(trainer: Any) -> dict[str, torch.Tensor]:
    """The coarsest output's heads have none: nnU-Net's weight for it is zero."""
    return {name: one.grad.clone() for name, one in tuned(trainer).items() if one.grad is not None}


def gradients_of_a_step(trainer: Any, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    trainer.take_step = lambda *_: None
    trainer.train_step(batch)
    return with_gradient(trainer)


def test_the_gradient_is_that_of_the_papers_loss(trainer: Any) -> None:
    batch = next(trainer.dataloader_train)
    found = gradients_of_a_step(trainer, batch)
    trainer.network.zero_grad(set_to_none=True)
    prompts = trainer.prompted.prompts()
    total = trainer.config.weight_diversity * diversity_loss(prompts)
    for k, loss in enumerate(trainer.prompt_losses):
        output = trainer.network(batch["data"][:, k], prompt=k, prompts=prompts)
        total = total + loss(output, [level[:, k] for level in batch["target"]])
    total.backward()
    expected = with_gradient(trainer)
    assert found.keys() == expected.keys()
    assert len(found) > len(tuned(trainer)) / 2
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_each_prompt_has_a_view_and_a_loss_of_its_own(trainer: Any) -> None:
    views = next(trainer.dataloader_train)["data"].unbind(1)
    assert len(views) == len(trainer.prompt_losses) == trainer.config.prompts > 1
    assert not any(torch.equal(*pair) for pair in pairwise(views))
    pairs = [(one.loss.tversky.alpha, one.loss.tversky.beta) for one in trainer.prompt_losses]
    assert pairs == [trainer.config.tversky_of(k) for k in range(trainer.config.prompts)]
    assert len(set(pairs)) == len(pairs)
