"""The optimizer of every training: what it tunes, nnU-Net's momentum, nnU-Net's schedule."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from nnunet_slpt.trainers.tuning import TuningTrainer

EPOCHS = 10


class Trainer(TuningTrainer):
    """As far as the optimizer goes, without a task."""

    def __init__(self, optimizer: str) -> None:
        self.config = SimpleNamespace(optimizer=optimizer)
        self.initial_lr, self.weight_decay, self.num_epochs = 0.5, 0.01, EPOCHS
        self.network: Any = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.network[0].requires_grad_(False)


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_only_what_is_tuned_is_the_optimizers(name: str) -> None:
    trainer = Trainer(name)
    optimizer, _ = trainer.configure_optimizers()
    assert type(optimizer) is getattr(torch.optim, name)
    (group,) = optimizer.param_groups
    assert [id(one) for one in group["params"]] == [id(one) for one in trainer.network[1].parameters()]
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.01)


def test_sgd_has_nesterov_momentum_as_nnunets() -> None:
    optimizer, _ = Trainer("SGD").configure_optimizers()
    group = optimizer.param_groups[0]
    assert (group["momentum"], group["nesterov"], group["dampening"]) == (0.99, True, 0)


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_the_rate_falls_as_a_polynomial_of_degree_nine_tenths(name: str) -> None:
    optimizer, schedule = Trainer(name).configure_optimizers()
    for epoch in range(EPOCHS):
        schedule.step(epoch)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * (1 - epoch / EPOCHS) ** 0.9)
