"""The running mean of the tuned weights, without a network."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from nnunet_slpt.trainers.averaging import WeightAverage


class Walk:
    """Two weights that an optimizer moves to where it is told, and their average."""

    def __init__(self, optimizer: type[torch.optim.Optimizer] = torch.optim.SGD) -> None:
        self.weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(()))]
        self.optimizer = optimizer(self.weights, lr=1.0)  # type: ignore[call-arg]
        self.average = WeightAverage(self.optimizer)

    def go_to(self, *places: float) -> None:
        for place in places:
            for weight in self.weights:
                weight.grad = weight.detach() - place
            self.optimizer.step()

    def now(self) -> list[float]:
        return [float(weight.detach().mean()) for weight in self.weights]


def test_later_steps_count_more() -> None:
    places = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0]
    walk = Walk()
    walk.go_to(*places)
    walk.average.swap()
    counts = torch.tensor([t * (t + 1) * (t + 2) for t in range(1, 7)], dtype=torch.float)
    mean = float((counts * torch.tensor(places)).sum() / counts.sum())
    assert walk.now() == pytest.approx([mean, mean], rel=1e-5)


def test_a_second_exchange_brings_back_the_trained_weights() -> None:
    walk = Walk()
    walk.go_to(1.0, 2.0)
    walk.average.swap()
    walk.average.swap()
    assert walk.now() == [2.0, 2.0]
    walk.go_to(7.0)
    assert walk.now() == [7.0, 7.0]


def test_without_a_step_there_is_nothing_to_exchange() -> None:
    walk = Walk()
    walk.average.swap()
    assert walk.now() == [0.0, 0.0]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_weight_may_have_its_first_gradient_later(kind: Any) -> None:
    walk = Walk(kind)
    first, second = walk.weights
    first.grad = torch.ones(2)
    walk.optimizer.step()
    second.grad = torch.ones(())
    walk.optimizer.step()
    trained = walk.now()[1]
    walk.average.swap()
    assert trained < 0.0
    assert walk.now()[1] == pytest.approx(0.8 * trained)


@pytest.mark.parametrize("between_epochs", [True, False])
def test_a_continued_walk_ends_where_one_without_a_stop_ends(between_epochs: bool) -> None:
    walk, continued = Walk(), Walk()
    walk.go_to(1.0, 5.0)
    if between_epochs:
        walk.average.swap()
    continued.optimizer.load_state_dict(copy.deepcopy(walk.optimizer.state_dict()))
    for here, there in zip(continued.weights, walk.weights, strict=True):
        here.data.copy_(there.data)
    for one in (walk, continued):
        if between_epochs:
            one.average.swap()
        one.go_to(-2.0, 8.0)
        one.average.swap()
    assert continued.now() == walk.now()
