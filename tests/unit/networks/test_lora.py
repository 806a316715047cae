"""LoRA on convolutions of every kind, and inside nnU-Net's networks, where a layer has several names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from backbones import images, plain, residual
from torch import nn

from nnunet_slpt.networks.lora import add_lora, is_lora, without_lora

LAYERS = {
    "3d": lambda: nn.Conv3d(4, 6, 3, padding=1),
    "2d": lambda: nn.Conv2d(4, 6, 3, padding=1),
    "strided": lambda: nn.Conv3d(4, 6, (1, 3, 3), stride=(1, 2, 2)),
    "grouped": lambda: nn.Conv3d(4, 6, 3, groups=2),
    "dilated": lambda: nn.Conv3d(4, 6, 3, dilation=2),
    "transposed": lambda: nn.ConvTranspose3d(4, 6, 2, stride=2),
    "narrower than the rank": lambda: nn.Conv3d(4, 1, 1),
}
each_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def draw(network: nn.Module) -> None:
    """As after a training."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if is_lora(name):
                parameter.normal_()


def features(layer: nn.Module) -> torch.Tensor:
    return torch.randn(2, 4, *[8] * (layer.weight.ndim - 2))  # type: ignore[operator]


@each_layer
def test_untuned_it_changes_no_bit(make: Callable[[], nn.Module]) -> None:
    layer = make()
    x = features(layer)
    before = layer(x)
    add_lora(layer, rank=2)
    assert torch.equal(layer(x), before)


@each_layer
def test_tuned_the_weight_differs_by_a_matrix_of_that_rank(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    layer: Any = make()
    before = layer.weight.detach().clone()
    add_lora(layer, rank=2)
    draw(layer)
    change = (layer.weight - before).flatten(1)
    assert torch.linalg.matrix_rank(change, atol=1e-4) == min(2, len(before))
    plain_layer: Any = make()
    plain_layer.load_state_dict({"weight": layer.weight.detach(), "bias": layer.bias.detach()})
    x = features(layer)
    torch.testing.assert_close(layer(x), plain_layer(x))


@pytest.mark.parametrize("build", [plain, residual])
def test_each_layer_of_a_network_heeds_it(build: Callable[[], nn.Module]) -> None:
    """Under the name by which nnU-Net calls the layer, too."""
    torch.manual_seed(0)
    network = build()
    count = sum(isinstance(module, (nn.Conv3d, nn.ConvTranspose3d)) for module in network.modules())
    add_lora(network, rank=2)
    draw(network)
    sum(level.square().sum() for level in network(images())).backward()
    ups = [parameter for name, parameter in network.named_parameters() if name.endswith(".up")]
    assert len(ups) == count
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in ups)


def test_names_without_it_are_the_networks_own() -> None:
    names, network = set(plain().state_dict()), plain()
    add_lora(network, rank=2)
    assert {without_lora(name) for name in network.state_dict() if not is_lora(name)} == names


def test_a_compiled_network_heeds_it() -> None:
    torch.manual_seed(0)
    network = plain().eval()
    network.decoder.deep_supervision = False
    add_lora(network, rank=2)
    draw(network)
    expected = network(images())
    torch.testing.assert_close(
        torch.compile(network, backend="aot_eager", fullgraph=True)(images()), expected
    )
