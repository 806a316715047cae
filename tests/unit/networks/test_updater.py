"""The two branches of a feature-aware prompt updater, against their equations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nnunet_slpt.networks.updater import FeatureAwarePromptUpdater

CELLS = 16
each_axes = pytest.mark.parametrize("axes", [2, 3])


def updater(axes: int = 2, expand: float = 0.5, last: bool = False) -> FeatureAwarePromptUpdater:
    """With 6 channels of features and 3 of the prompt."""
    torch.manual_seed(0)
    made = FeatureAwarePromptUpdater(6, 3, 3, CELLS, width=8, kernel=[3] * axes, stride=[2] * axes, last=last)
    torch.nn.init.normal_(made.feature_branch.expand, std=expand)
    return made


def inputs(axes: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Features, a prompt on a grid of its own, a signature."""
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(2, 6, *[8, 12, 4][:axes], generator=draw)
    prompt = torch.randn(2, 3, *[16, 6, 8][:axes], generator=draw)
    return features, prompt, torch.randn(2, CELLS, generator=draw)


@each_axes
def test_untuned_it_passes_features_on_bit_for_bit(axes: int) -> None:
    features, prompt, signature = inputs(axes)
    assert torch.equal(updater(axes, expand=0)(features, prompt, signature)[0], features)


@each_axes
def test_features_are_multiplied_by_one_plus_a_and_b_is_added(axes: int) -> None:
    features, prompt, signature = inputs(axes)
    made = updater(axes)
    pool, mode = {2: (functional.avg_pool2d, "bilinear"), 3: (functional.avg_pool3d, "trilinear")}[axes]
    coarse = pool(features, 2)
    here = functional.interpolate(prompt, size=coarse.shape[2:], mode=mode)
    change = functional.interpolate(made.feature_branch(coarse, here, signature), scale_factor=2.0, mode=mode)
    expected = features * change[:, :6] + features + change[:, 6:]
    torch.testing.assert_close(made(features, prompt, signature)[0], expected)


def test_two_mixes_are_one_convolution_of_the_concatenation() -> None:
    features, prompt, _ = inputs()
    branch = updater().feature_branch
    prompt = prompt[..., :8, :].repeat(1, 1, 1, 2)
    mixed: list[Tensor] = []
    branch.mix_norm.register_forward_hook(lambda module, given, result: mixed.append(given[0]))
    branch(features, prompt, torch.ones(2, CELLS))
    both = torch.cat([branch.mix_features, branch.mix_prompt], 1)
    expected = functional.conv2d(torch.cat([features, prompt], 1), both)
    torch.testing.assert_close(mixed[0], expected)


def test_the_prompt_is_as_loud_as_the_features_at_the_start() -> None:
    made = FeatureAwarePromptUpdater(320, 8, 8, CELLS, width=52, kernel=[3, 3], stride=[1, 1])
    branch = made.feature_branch
    loud = functional.conv2d(torch.randn(1, 320, 16, 16), branch.mix_features).std()
    quiet = functional.conv2d(torch.randn(1, 8, 16, 16), branch.mix_prompt).std()
    assert 0.5 < quiet / loud < 2


def test_a_prompt_of_zeros_has_no_effect_on_features() -> None:
    features, prompt, signature = inputs()
    assert torch.equal(updater()(features, prompt, 0 * signature)[0], features)


def test_another_signature_is_another_function_and_its_opposite_the_opposite() -> None:
    features, prompt, signature = inputs()
    branch = updater().feature_branch
    coarse, here = features[..., ::2, ::2], prompt[..., ::4, :]
    gain = branch(coarse, here, signature)
    other = branch(coarse, here, signature.roll(1, 1))
    assert functional.cosine_similarity(gain.flatten(), other.flatten(), dim=0) < 0.9
    torch.testing.assert_close(branch(coarse, here, -signature), -gain)


def test_channels_are_weighed_by_a_soft_sign_of_what_the_prompt_says() -> None:
    """Of context that is 1 everywhere, W as identity shows the weights."""
    branch = updater().feature_branch
    branch.context, branch.attention = Ones(), nn.Identity()
    branch.expand = nn.Parameter(torch.eye(12, 8)[..., None, None])
    branch.projection = torch.eye(8, CELLS)
    signature = torch.zeros(2, CELLS)
    signature[0, :5] = torch.tensor([0, 0.1, 1, -1, 10])
    features, prompt, _ = inputs()
    change = branch(features[..., :6, :6], prompt[..., :6, :6], signature)
    expected = torch.tensor([0, 0.3015, 0.9535, -0.9535, 0.9995])  # s / sqrt(s² + 0.1)
    torch.testing.assert_close(change[0, :5], expected.view(5, 1, 1).expand(5, 6, 6), atol=1e-4, rtol=0)
    assert not change[1].any()


class Ones(nn.Module):
    """Context that is the same everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)


def test_the_projection_is_kept_but_not_tuned() -> None:
    branch = updater().feature_branch
    assert "projection" in branch.state_dict()
    assert "projection" not in dict(branch.named_parameters())


@each_axes
def test_the_next_prompt_is_on_the_updaters_grid_and_standardised(axes: int) -> None:
    prompt = updater(axes)(*inputs(axes))[1]
    assert prompt.shape == (2, 3, *[4, 6, 2][:axes])
    flat = prompt.flatten(1)
    torch.testing.assert_close(flat.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.std(1), torch.ones(2), atol=0.05, rtol=0)


@each_axes
@pytest.mark.parametrize("incoming", [3, 1, 0])
@pytest.mark.parametrize("separable", [True, False])
def test_the_next_prompt_is_that_of_the_equation(axes: int, incoming: int, separable: bool) -> None:
    """P = norm(P' + Convolve([F, P'])), of the features that leave, on the updater's grid."""
    torch.manual_seed(0)
    made = FeatureAwarePromptUpdater(
        6, 3, incoming, CELLS, width=8, kernel=[3] * axes, stride=[1] * axes, separable=separable
    )
    nn.init.normal_(made.feature_branch.expand, std=0.5)
    branch: Any = made.prompt_branch
    nn.init.normal_(branch.norm.weight)
    nn.init.normal_(branch.norm.bias)
    features, prompt, signature = inputs(axes)
    here = functional.interpolate(prompt, features.shape[2:], mode="bilinear" if axes == 2 else "trilinear")
    changed, found = made(features, here[:, : incoming or 1], signature)

    conv = functional.conv2d if axes == 2 else functional.conv3d
    both = torch.cat([changed, here[:, :incoming]], 1)
    if separable:
        mixed = conv(both, branch.pointwise.view(3, -1, *[1] * axes))
        update = conv(mixed, branch.depthwise[:, None], padding=1, groups=3)
    else:
        update = conv(both, branch.plain, padding=1)
    raw = update + (here[:, :incoming] if incoming else 0)
    flat = raw.flatten(1)
    standard = ((flat - flat.mean(1, keepdim=True)) / flat.std(1, correction=0, keepdim=True)).view_as(raw)
    scale, shift = (values.view(3, *[1] * axes) for values in (branch.norm.weight, branch.norm.bias))
    torch.testing.assert_close(found, standard * scale + shift, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("separable", [True, False])
def test_what_is_added_to_the_prompt_is_as_loud_as_it(separable: bool) -> None:
    torch.manual_seed(0)
    made = FeatureAwarePromptUpdater(
        56, 8, 8, CELLS, width=8, kernel=[3, 3], stride=[1, 1], separable=separable
    )
    branch: Any = made.prompt_branch
    both: list[Tensor] = []
    branch.norm.register_forward_hook(lambda module, given, result: both.append(given[0]))
    features, prompt = torch.randn(1, 56, 32, 32), torch.randn(1, 8, 32, 32)
    branch(features, prompt)
    assert 0.6 < (both[0] - prompt).std() < 1.6


def test_the_next_prompt_knows_the_features() -> None:
    features, prompt, signature = inputs()
    made = updater()
    assert not torch.allclose(made(features, prompt, signature)[1], made(-features, prompt, signature)[1])


def test_the_last_one_has_no_prompt_branch() -> None:
    made = updater(last=True)
    assert made.prompt_branch is None
    features, _ = made(*inputs())
    assert features.shape == inputs()[0].shape


def test_under_autocast_features_stay_in_half_precision() -> None:
    features, prompt, signature = inputs(3)
    with torch.autocast("cpu", torch.bfloat16):
        out, following = updater(3)(features.bfloat16(), prompt, signature)
    assert out.dtype == torch.bfloat16
    assert following.isfinite().all()
