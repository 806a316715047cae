"""One step from several passes: in one process, in two, and when the gradients are not finite."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.multiprocessing.spawn import spawn

from nnunet_slpt.trainers.gradients import take_step, unwrap


@pytest.fixture
def parameter() -> nn.Parameter:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    return parameter


def step(parameter: nn.Parameter, gradient: float, scaler: torch.amp.GradScaler | None = None) -> bool:
    parameter.grad = torch.full((2,), gradient)
    return take_step([parameter], torch.optim.SGD([parameter], 1.0), scaler, distributed=False)


def test_a_finite_gradient_is_used(parameter: nn.Parameter) -> None:
    assert step(parameter, 2.0)
    assert parameter.tolist() == [-2, -2]


@pytest.mark.parametrize("gradient", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_changes_nothing(parameter: nn.Parameter, gradient: float) -> None:
    assert not step(parameter, gradient)
    assert parameter.tolist() == [0, 0]


def test_a_long_gradient_is_cut_to_nnunets_length(parameter: nn.Parameter) -> None:
    assert step(parameter, 1e6)
    assert float(parameter.detach().norm()) == pytest.approx(12)


def test_scaled_gradients_are_unscaled_first(parameter: nn.Parameter) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.ones(1))
    assert step(parameter, 4.0, scaler)
    assert parameter.tolist() == [-1, -1]


def test_a_scaler_skips_and_lowers_its_scale(parameter: nn.Parameter) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.ones(1))
    assert not step(parameter, float("inf"), scaler)
    assert parameter.tolist() == [0, 0]
    assert scaler.get_scale() == 2


def test_unwrapping_reaches_the_network() -> None:
    network = nn.Linear(1, 1)
    assert unwrap(torch.compile(network, backend="eager")) is network
    assert unwrap(network) is network


@pytest.mark.parametrize("kind", ["prompts", "classes"])
def test_two_ranks_get_the_gradient_of_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # a spawned child cannot import this test module
    ddp_rank = importlib.import_module("ddp_rank")
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    build, backward = ddp_rank.KINDS[kind]
    whole = build()
    backward(whole, images)
    spawn(ddp_rank.one_rank, (str(tmp_path), images, kind), nprocs=2)
    expected = ddp_rank.gradients(whole)
    assert expected
    tuned = whole.tuned_state() if kind == "prompts" else dict(whole.named_parameters())
    assert expected.keys() <= tuned.keys()
    for rank in range(2):
        assert torch.load(tmp_path / f"lone_{rank}.pt").tolist() == [1 / 2]  # rank 1 had no gradient for it
        got = torch.load(tmp_path / f"{rank}.pt")
        assert got.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(got[name], gradient, msg=lambda words, name=name: f"{name}: {words}")
