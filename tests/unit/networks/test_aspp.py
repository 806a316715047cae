"""Context and attention, down to the smallest grids."""

from __future__ import annotations

import pytest
import torch

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
