"""Windows: every voxel in one of them, and no more masks than there are kinds of windows."""

from __future__ import annotations

import math

import pytest
import torch

from nnunet_slpt.networks.punet.windows import fit_window, lay_out

CASES = [
    ((4, 7, 8), (2, 3, 4)),
    ((6, 10), (4, 4)),
    ((3, 5), (3, 2)),
    ((2, 1, 3), (2, 1, 3)),
    ((2, 2), (4, 4)),  # an image smaller than the window
    ((9, 9, 9), (4, 4, 4)),  # more padding than half a window
]
each_case = pytest.mark.parametrize(("grid", "window"), CASES)


@each_case
@pytest.mark.parametrize("shifted", [False, True])
def test_what_is_split_can_be_merged(grid, window, shifted):
    windows = lay_out(grid, window, shifted)
    x = torch.randn(2, *grid, 3)
    parts = windows.split(x)
    assert parts.shape == (2, math.prod(windows.counts), math.prod(window), 3)
    assert torch.equal(windows.merge(parts), x)


@each_case
@pytest.mark.parametrize("shifted", [False, True])
def test_every_window_is_in_one_group_and_the_order_finds_it_again(grid, window, shifted):
    windows = lay_out(grid, window, shifted)
    numbers = torch.cat([group for group, _ in windows.groups])
    assert torch.equal(numbers[windows.order], torch.arange(math.prod(windows.counts)))


def test_a_large_grid_has_few_masks():
    windows = lay_out((64, 64, 64), (4, 4, 4), shifted=True)
    assert len(windows.groups) == 8
    sizes = {len(numbers): mask is None for numbers, mask in windows.groups}
    assert sizes[15**3]  # nothing is masked inside
    assert not sizes[1]


def test_windows_are_not_shifted_along_an_axis_that_has_one():
    assert lay_out((4, 8), (4, 4), shifted=True).shift == (0, 2)


@pytest.mark.parametrize(
    ("grid", "window"), [((128, 96), (4, 4)), ((5, 9), (3, 3)), ((2, 3), (2, 3)), ((7, 1), (4, 1))]
)
def test_the_window_fits_the_grid(grid, window):
    assert fit_window(grid, at_most=4) == window
