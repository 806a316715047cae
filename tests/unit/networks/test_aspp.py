"""Context and attention, down to the smallest grids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nnunet_slpt.networks.aspp import ASPP, SqueezeExcitation


@pytest.mark.parametrize("grid", [(1, 1, 1), (1, 1, 2), (2, 2, 2), (4, 4, 4), (1, 4, 4), (3, 17, 9)])
def test_every_grid_works_and_trains(grid: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    context = ASPP(6, (3, 3, 3))
    result = context(torch.randn(2, 6, *grid))
    result.square().sum().backward()
    assert result.shape == (2, 6, *grid)
    assert all(parameter.grad.isfinite().all() for parameter in context.parameters())


def test_a_dilation_that_sees_padding_alone_shrinks() -> None:
    """On 4 voxels a dilation of 4 would use the kernel's centre only."""
    torch.manual_seed(0)
    wide = ASPP(4, (3, 3), dilations=(4,))
    narrow = ASPP(4, (3, 3), dilations=(1,))
    narrow.load_state_dict(wide.state_dict())
    small, large = torch.randn(1, 4, 4, 4), torch.randn(1, 4, 12, 12)
    assert torch.equal(wide(small), narrow(small))
    assert not torch.allclose(wide(large), narrow(large))


def test_a_short_axis_does_not_shorten_the_others() -> None:
    torch.manual_seed(0)
    wide, x = ASPP(4, (1, 3, 3), dilations=(4,)), torch.randn(1, 4, 3, 12, 12)
    narrow = ASPP(4, (1, 3, 3), dilations=(1,))
    narrow.load_state_dict(wide.state_dict())
    assert not torch.allclose(wide(x), narrow(x))


def reach(context: ASPP, *grid: int) -> list[set[int]]:
    """How far from the middle voxel its neighbours lie that see it, along each axis."""
    torch.nn.init.zeros_(context.whole.weight)  # which sees all there is
    torch.nn.init.zeros_(context.whole.bias)
    sums: list[Tensor] = []
    context.norm.register_forward_hook(lambda module, given, result: sums.append(given[0]))
    middle = [size // 2 for size in grid]
    x = torch.zeros(1, 4, *grid)
    x[(0, slice(None), *middle)] = 1
    context(x)
    places = sums[0][0].abs().sum(0).nonzero() - torch.tensor(middle)
    return [set(axis.tolist()) for axis in places.abs().T]


@pytest.mark.parametrize("separable", [True, False])
def test_it_looks_one_two_and_four_voxels_far(separable: bool) -> None:
    torch.manual_seed(0)
    assert reach(ASPP(4, (3, 3), separable=separable), 17, 17) == [{0, 1, 2, 4}] * 2


@pytest.mark.parametrize(
    ("size", "seen"), [(1, {0}), (3, {0, 1}), (5, {0, 1, 2}), (7, {0, 1, 2, 3}), (9, {0, 1, 2, 4})]
)
def test_along_each_axis_it_looks_as_far_as_the_middle_can_see(size: int, seen: set[int]) -> None:
    torch.manual_seed(0)
    assert reach(ASPP(4, (3, 3, 3)), size, 17, 9) == [seen, {0, 1, 2, 4}, {0, 1, 2, 4}]


@pytest.mark.parametrize("separable", [True, False])
def test_its_branches_are_summed_standardised_and_gated(separable: bool) -> None:
    """1×1, dilated 3×3 and the global mean; depth-separable is 1×1, then 3×3 of each channel by itself."""
    torch.manual_seed(0)
    context, x = ASPP(4, (3, 3), dilations=(1, 3), separable=separable), torch.randn(2, 4, 9, 11)
    total = functional.conv2d(x, context.point) + context.whole(x.mean((2, 3)))[..., None, None]
    for branch, dilation in enumerate((1, 3)):
        where = {"padding": dilation, "dilation": dilation}
        if separable:
            mixed = functional.conv2d(x, context.pointwise[branch][..., None, None])
            total = total + functional.conv2d(mixed, context.depthwise[branch][:, None], groups=4, **where)
        else:
            total = total + functional.conv2d(x, context.plain[branch], **where)
    flat = total.flatten(1)
    standard = ((flat - flat.mean(1, keepdim=True)) / flat.std(1, correction=0, keepdim=True)).view_as(x)
    torch.testing.assert_close(context(x), standard * standard.sigmoid(), atol=1e-4, rtol=1e-4)


def test_far_voxels_count_through_the_global_branch() -> None:
    torch.manual_seed(0)
    context, x = ASPP(4, (3, 3), dilations=(1,)), torch.randn(1, 4, 16, 16)
    far = x.clone()
    far[..., -1, -1] += 10
    assert not torch.allclose(context(x)[..., 0, 0], context(far)[..., 0, 0])


def test_attention_scales_whole_channels_by_less_than_two() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 6, 3, 4, 5) + 1
    gates = (SqueezeExcitation(6)(x) / x).flatten(2)
    torch.testing.assert_close(gates, gates[..., :1].expand_as(gates))
    assert ((gates > 0) & (gates < 2)).all()


def test_the_gate_is_that_of_the_equations() -> None:
    """Squeeze: the channels' means. Excite: 2 σ(W2 silu(W1 z))."""
    torch.manual_seed(0)
    attention, x = SqueezeExcitation(6), torch.randn(2, 6, 3, 4, 5)

    def sigmoid(values: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-values))

    (w1, b1), (w2, b2) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in (attention.squeeze, attention.excite)
    )
    hidden = x.numpy().mean((2, 3, 4)) @ w1.T + b1
    gate = 2 * sigmoid((hidden * sigmoid(hidden)) @ w2.T + b2)
    expected = x.numpy() * gate[..., None, None, None]
    np.testing.assert_allclose(attention(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "narrow"), [(8, 4), (16, 4), (32, 8), (80, 20)])
def test_the_squeeze_is_to_a_quarter_and_to_four_at_least(channels: int, narrow: int) -> None:
    assert SqueezeExcitation(channels).squeeze.out_features == narrow
