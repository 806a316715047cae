"""The operations of dimensions.py against torch's own layers."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nnunet_slpt.networks.dimensions import average_pool, convolve, modulate, resize, separable_kernel

POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
CONVOLVE = {2: functional.conv2d, 3: functional.conv3d}


def maps(*shape: int) -> torch.Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("shape", "stride"),
    [((3, 8, 6), (2, 2)), ((3, 8, 6), (1, 3)), ((3, 4, 8, 6), (1, 2, 2)), ((3, 4, 8, 6), (1, 1, 1))],
)
def test_pooling_is_torchs(shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
    x = maps(*shape)
    torch.testing.assert_close(average_pool(x, stride), POOL[len(stride)](x, stride))


def test_a_rest_at_the_border_is_averaged_over_itself() -> None:
    x = torch.tensor([[[[1.0, 2, 3, 4, 9]]]])
    assert average_pool(x, (1, 2)).tolist() == [[[[1.5, 3.5, 9]]]]


def test_pooling_works_in_half_precision() -> None:
    x = maps(3, 4, 8, 6).half()
    torch.testing.assert_close(average_pool(x, (2, 2, 2)).float(), POOL[3](x.float(), 2), atol=2e-3, rtol=0)


@pytest.mark.parametrize(("kernel", "dilation"), [((3, 3), 1), ((3, 3), 2), ((1, 3, 3), 1), ((3, 3, 3), 4)])
def test_a_convolution_keeps_the_grid_and_is_torchs(kernel: tuple[int, ...], dilation: int) -> None:
    x, weight = maps(3, *[7] * len(kernel)), maps(3, *kernel)
    padding = [dilation * (size // 2) for size in kernel]
    expected = CONVOLVE[len(kernel)](x, weight, padding=padding, dilation=dilation)
    assert convolve(x, weight, dilation=dilation).shape[2:] == x.shape[2:]
    torch.testing.assert_close(convolve(x, weight, dilation=dilation), expected)


@pytest.mark.parametrize("kernel", [(3, 3), (1, 3, 3), (3, 3, 3)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_separable_convolution_is_a_mix_and_a_kernel_per_channel(
    kernel: tuple[int, ...], dilation: int
) -> None:
    axes = len(kernel)
    x, pointwise = maps(4, *[6] * axes), torch.randn(5, 4).double()
    depthwise = torch.randn(5, *kernel).double()
    mixed = CONVOLVE[axes](x, pointwise.view(5, 4, *[1] * axes))
    padding = [dilation * (size // 2) for size in kernel]
    expected = CONVOLVE[axes](mixed, depthwise[:, None], padding=padding, dilation=dilation, groups=5)
    torch.testing.assert_close(
        convolve(x, separable_kernel(depthwise, pointwise), dilation=dilation), expected
    )


@pytest.mark.parametrize("grid", [(4, 6), (2, 3), (1, 1), (3, 4)])
def test_modulation_is_a_gain_and_a_shift_that_are_smooth(grid: tuple[int, ...]) -> None:
    x, gain, shift = maps(3, 4, 6), maps(3, *grid), 2 * maps(3, *grid).flip(0)
    fine = [functional.interpolate(part, size=(4, 6), mode="bilinear") for part in (gain, shift)]
    torch.testing.assert_close(modulate(x, torch.cat([gain, shift], 1)), x * (1 + fine[0]) + fine[1])


def test_no_change_leaves_features_bit_for_bit() -> None:
    x = maps(3, 4, 6)
    assert torch.equal(modulate(x, torch.zeros(2, 6, 2, 3).double()), x)


def test_resizing_to_the_same_grid_is_the_same_tensor() -> None:
    x = maps(3, 4, 6)
    assert resize(x, (4, 6)) is x
    assert resize(x, (8, 5)).shape == (2, 3, 8, 5)


@pytest.mark.parametrize("grid", [(4, 16, 12), (8, 16, 12), (2, 8, 6), (9, 5, 7), (1, 1, 1), (4, 8, 13)])
def test_resizing_in_3d_is_torchs_trilinear_interpolation(grid: tuple[int, ...]) -> None:
    x = maps(3, 4, 8, 6).requires_grad_()
    ours, expected = resize(x, grid), functional.interpolate(x, size=grid, mode="trilinear")
    torch.testing.assert_close(ours, expected)
    gradients = [torch.autograd.grad(resized.square().sum(), x)[0] for resized in (ours, expected)]
    torch.testing.assert_close(*gradients)


def test_what_a_modulation_keeps_for_its_gradient_is_the_input_and_the_gain():
    x, change = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(2, 6, 2, 2, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one.untyped_storage()) or one, id):
        modulate(x, change)
    assert sum({one.data_ptr(): len(one) for one in kept}.values()) <= 2 * x.untyped_storage().nbytes()
