"""SLPT with a part left out: what is missing then, and that everything else stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from backbones import CLASSES, images, patch, plain, residual
from torch import nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.networks.aspp import ASPP, SqueezeExcitation

PARTS = ("updaters", "aspp", "squeeze_excitation", "separable", "prompt_map")
each_part = pytest.mark.parametrize("part", PARTS)


def build(axes: int = 3, backbone: Any = plain, **settings: Any) -> PromptedUNet:
    torch.manual_seed(0)
    config = PromptConfig(prompt_channels=3, **settings)
    return PromptedUNet(backbone(axes), patch(axes), CLASSES, config, True)


def names(network: nn.Module, *words: str) -> set[str]:
    return {name for name in network.state_dict() if not words or any(word in name for word in words)}


def test_without_aspp_no_context_is_left_and_nothing_else_goes() -> None:
    whole, part = build(), build(aspp=False)
    assert not any(isinstance(module, ASPP) for module in part.modules())
    assert names(part) == names(whole) - names(whole, ".context.")


def test_without_squeeze_excitation_no_attention_is_left_and_nothing_else_goes() -> None:
    whole, part = build(), build(squeeze_excitation=False)
    assert not any(isinstance(module, SqueezeExcitation) for module in part.modules())
    assert names(part) == names(whole) - names(whole, ".attention.")


def test_plain_convolutions_stand_where_separable_ones_stood() -> None:
    whole, part = build(), build(separable=False)
    split = names(whole, "depthwise", "pointwise")
    assert split
    assert names(whole) - split == names(part) - names(part, ".plain")
    assert len(names(part, ".plain")) * 2 == len(split)
    shapes = {tuple(part.state_dict()[name].shape) for name in names(part, "prompt_branch.plain")}
    assert all(len(shape) == 5 and shape[0] == 3 for shape in shapes)


def test_a_plain_convolution_of_the_same_kernel_gives_the_same() -> None:
    whole, part = build(), build(separable=False)
    state = whole.state_dict()
    for name in names(part, ".plain"):
        head, _, index = name.partition(".plain")
        depthwise, pointwise = (state.pop(f"{head}.{kind}{index}") for kind in ("depthwise", "pointwise"))
        state[name] = torch.einsum("o...,oi->oi...", depthwise, pointwise)
    for name in names(whole, "feature_branch.expand"):
        state[name] = torch.randn_like(state[name])
    part.load_state_dict(state)
    both = dict(state)
    for name in names(part, ".plain"):
        both.pop(name)
    whole.load_state_dict(both, strict=False)
    with torch.no_grad():
        for one, other in zip(whole.eval()(images()), part.eval()(images()), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_without_its_map_a_prompt_acts_by_its_signature_alone() -> None:
    whole, part = build(), build(prompt_map=False).eval()
    assert names(part) == names(whole) - {"updaters.0.feature_branch.mix_prompt"}
    with torch.no_grad():
        for name, tensor in part.tuned_state().items():
            if "expand" in name:
                tensor.normal_()
        maps = part.prompts()
        means = torch.nn.functional.adaptive_avg_pool3d(maps, 4)
        # Another map, and the same signature.
        blocks = torch.nn.functional.interpolate(means, maps.shape[2:])
        assert not torch.allclose(maps, blocks)
        for one, other in zip(part(images(), prompts=maps), part(images(), prompts=blocks), strict=True):
            torch.testing.assert_close(one, other)
        away = part(images(), prompts=-maps)
    assert not torch.allclose(part(images(), prompts=maps)[0], away[0])


@pytest.mark.parametrize("backbone", [plain, residual])
@pytest.mark.parametrize("axes", [2, 3])
def test_without_updaters_the_prompts_are_added_to_the_image(axes: int, backbone: Any) -> None:
    network = build(axes, backbone, updaters=False).eval()
    assert not names(network, "updaters.")
    assert network.state_dict()["input_prompt.gain"].shape == (2,)
    with torch.no_grad():
        network.input_prompt.gain.copy_(torch.tensor([0.5, -1.0]))
    x = images(axes)
    prompted = x + torch.tensor([0.5, -1.0]).view(1, 2, *[1] * axes) * network.prompts()[1]
    with torch.no_grad():
        got = network(x, prompt=1)
        network.input_prompt.gain.zero_()
        expected = network(prompted, prompt=1)
        for one, other in zip(got, expected, strict=True):
            torch.testing.assert_close(one, other)
    assert not names(build(), "input_prompt")


@each_part
def test_with_a_part_left_out_the_k_predictions_are_those_of_each_prompt(part: str) -> None:
    network = build(**{part: False}).eval()
    with torch.no_grad():
        for name, tensor in network.tuned_state().items():
            if "expand" in name or "gain" in name:
                tensor.normal_()
        together = network.predict_prompts(images())
        alone = torch.stack([network(images(), prompt=k)[0] for k in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(alone[0], alone[1])


@each_part
def test_with_a_part_left_out_every_tuned_weight_learns(part: str) -> None:
    network = build(**{part: False})
    with torch.no_grad():
        network.prompts.start_from(torch.rand(patch()))
        for name, tensor in network.tuned_state().items():
            if "expand" in name or "gain" in name:
                tensor.normal_()
    sum(level.square().sum() for k in range(3) for level in network(images(), prompt=k)).backward()
    still = [
        name
        for name, one in network.named_parameters()
        if one.requires_grad and (one.grad is None or not one.grad.any())
    ]
    assert not still
