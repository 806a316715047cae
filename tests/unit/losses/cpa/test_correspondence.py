"""Where two views show the same: crops of one image, flipped, padded or zoomed, agree on it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa import Box, at_same_place

View = tuple[Sequence[int], Sequence[int], Sequence[bool]]  # first voxel, size, flipped


def box_of(*views: View) -> Box:
    first, size, flipped = zip(*views, strict=True)
    return Box.of_crop(torch.tensor(first), torch.tensor(size), torch.tensor(flipped))


def cut(image: torch.Tensor, view: View) -> torch.Tensor:
    for axis, (first, size, flipped) in enumerate(zip(*view, strict=True), start=1):
        image = image.narrow(axis, first, size)
        image = image.flip(axis) if flipped else image
    return image


def image_of(grid: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.rand(2, *grid, generator=torch.Generator().manual_seed(seed)) + 1


CASES_2D: list[tuple[View, View]] = [
    (((0, 0), (8, 9), (False, False)), ((0, 0), (8, 9), (False, False))),
    (((2, 1), (8, 6), (False, False)), ((5, 0), (7, 9), (False, False))),
    (((2, 1), (8, 6), (True, False)), ((5, 0), (7, 9), (False, True))),
    (((0, 0), (4, 6), (True, True)), ((4, 0), (8, 6), (False, False))),
]
CASES_3D: list[tuple[View, View]] = [
    (((2, 1, 0), (6, 6, 4), (True, False, True)), ((1, 3, 1), (5, 4, 3), (False, False, True))),
]


@pytest.mark.parametrize(("one", "other"), CASES_2D + CASES_3D)
def test_crops_of_one_image_agree_where_they_overlap(one: View, other: View) -> None:
    image = image_of((12, 10, 5)[: len(one[0])])
    shown = torch.zeros_like(image)
    cut(shown, (*one[:2], [False] * len(one[0]))).fill_(1)
    values, inside = at_same_place(cut(image, one)[None], box_of(one), box_of(other), other[1])
    torch.testing.assert_close(inside[0, 0], cut(shown, other)[0].bool())
    torch.testing.assert_close(values[0] * inside[0], cut(image * shown, other), rtol=1e-4, atol=1e-5)
    assert values.isfinite().all()


def test_each_sample_has_its_own_box() -> None:
    image = image_of((12, 10))
    ones: list[View] = [((1, 2), (6, 6), (False, True)), ((4, 0), (6, 6), (True, True))]
    others: list[View] = [((3, 3), (5, 4), (True, True)), ((5, 1), (5, 4), (False, False))]
    views = torch.stack([cut(image, view) for view in ones])
    values, inside = at_same_place(views, box_of(*ones), box_of(*others), (5, 4))
    for sample, view in enumerate(others):
        overlap = inside[sample].expand_as(values[sample])
        assert overlap.any()
        torch.testing.assert_close(values[sample][overlap], cut(image, view)[overlap], rtol=1e-4, atol=1e-5)


def test_a_coarser_map_and_a_zoomed_view_need_no_other_box() -> None:
    # A ramp is what linear interpolation gives back exactly, but for the outer half of the border voxels.
    one = Box(torch.tensor([[4.0, 0.0]]), torch.tensor([[20.0, 8.0]]))
    other = Box(torch.tensor([[16.0, 1.0]]), torch.tensor([[6.0, 6.0]]))
    ramp = (4 + 2 * (torch.arange(8) + 0.5))[:, None].expand(8, 4)
    values, inside = at_same_place(ramp[None, None], one, other, (20, 5))
    expected = (16 - 0.5 * (torch.arange(20) + 0.5))[:, None].expand(20, 5)
    torch.testing.assert_close(values[0, 0], expected)
    assert inside.all()


def test_a_border_voxel_reaches_to_the_edge_of_the_view() -> None:
    box = Box(torch.zeros(1, 2), torch.full((1, 2), 3.0))
    values, inside = at_same_place(torch.ones(1, 1, 3, 3), box, box, (12, 12))
    assert inside.all()
    torch.testing.assert_close(values, torch.ones(1, 1, 12, 12))


def test_views_that_do_not_meet() -> None:
    view: View = ((0, 0), (4, 4), (False, False))
    values, inside = at_same_place(
        torch.ones(1, 1, 4, 4), box_of(view), box_of(((4, 0), (4, 4), view[2])), (4, 4)
    )
    assert not inside.any()
    assert values.isfinite().all()


def test_views_that_do_not_fit_each_other() -> None:
    box = box_of(((0, 0), (4, 4), (False, False)))
    for values, grid in (
        (torch.ones(2, 1, 4, 4), (4, 4)),
        (torch.ones(1, 1, 4, 4), (4,)),
        (torch.ones(1, 1, 4), (4,)),
    ):
        with pytest.raises(ArchitectureError, match="give a box for each sample"):
            at_same_place(values, box, box, grid)


def test_boxes_that_are_none() -> None:
    with pytest.raises(ArchitectureError, match=r"\(1, 2\) and \(1, 3\)"):
        Box(torch.zeros(1, 2), torch.ones(1, 3))
    with pytest.raises(ArchitectureError, match="flat"):
        Box(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
