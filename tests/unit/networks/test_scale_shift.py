"""Changes to frozen normalisations, against normalisations that have the changed weights themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from backbones import images, plain, residual
from torch import nn

from nnunet_slpt.networks.backbone import freeze
from nnunet_slpt.networks.scale_shift import ScaleShift

BATCH_NORM = {"norm_op": nn.BatchNorm3d}


@pytest.fixture(params=[(plain, {}), (residual, {}), (plain, BATCH_NORM)], ids=["plain", "residual", "batch"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    build, changes = request.param
    made: nn.Module = build(**changes)
    with torch.no_grad():
        made(images())  # so that batch normalisation has statistics of its own
        for one in made.parameters():
            one.add_(0.1 * torch.randn_like(one))
    freeze(made)
    return made


def draw(changes: ScaleShift) -> None:
    with torch.no_grad():
        for one in changes.parameters():
            one.normal_()


def normalisations(network: nn.Module) -> list[Any]:
    return [one for one in network.modules() if isinstance(one, (nn.InstanceNorm3d, nn.BatchNorm3d))]


def all_close(one: Any, other: Any) -> None:
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_untuned_the_network_is_the_pretrained_one(network: nn.Module) -> None:
    before, names = network(images()), list(network.state_dict())
    ScaleShift(network)
    assert all(torch.equal(one, other) for one, other in zip(network(images()), before, strict=True))
    assert list(network.state_dict()) == names


def test_it_is_as_if_the_weights_were_changed(network: nn.Module) -> None:
    expected = copy.deepcopy(network)
    changes = ScaleShift(network)
    draw(changes)
    with torch.no_grad():
        layers = zip(normalisations(expected), changes.scales, changes.shifts, strict=True)
        for layer, scale, shift in layers:
            layer.weight += scale
            layer.bias += shift
    all_close(network(images()), expected(images()))


def test_every_change_learns_and_nothing_else(network: nn.Module) -> None:
    changes = ScaleShift(network)
    sum(level.square().sum() for level in network(images())).backward()
    assert all(one.grad is not None and one.grad.any() for one in changes.parameters())
    assert all(one.grad is None for one in network.parameters())


@pytest.mark.parametrize("build", [plain, residual])
def test_a_copy_has_changes_of_its_own(build: Callable[[], nn.Module]) -> None:
    both = nn.ModuleDict({"network": build().eval()})
    both["changes"] = ScaleShift(both["network"])
    before = both["network"](images())
    other = copy.deepcopy(both)
    draw(other["changes"])
    all_close(both["network"](images()), before)
    assert not torch.allclose(other["network"](images())[0], before[0])


@pytest.mark.parametrize(
    "layer",
    [
        nn.InstanceNorm3d(4),
        nn.BatchNorm3d(4, affine=False),
        nn.BatchNorm3d(4, track_running_stats=False),
        nn.InstanceNorm3d(4, True, track_running_stats=True),
    ],
)
def test_what_cannot_be_changed_is_left_alone(layer: nn.Module) -> None:
    assert not list(ScaleShift(nn.Sequential(layer)).parameters())
    assert "forward" not in vars(layer)


def test_weights_that_torch_puts_in_place_take_effect(network: nn.Module) -> None:
    before = network(images())[0]
    changes = ScaleShift(network)
    drawn = {name: torch.randn_like(one) for name, one in changes.state_dict().items()}
    changes.load_state_dict(drawn, assign=True)
    assert not torch.allclose(network(images())[0], before)


def test_normalisations_that_were_replaced_run_with_it_too() -> None:
    network = plain(**BATCH_NORM)
    freeze(network)
    changes = ScaleShift(network)
    draw(changes)
    before = network(images())
    replaced = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    changes.run_inside(replaced)
    after = replaced(images())
    all_close(after, before)
    sum(one.sum() for one in after).backward()
    assert all(one.grad is not None for one in changes.parameters())
