"""The student's view lies where its box says, and is flipped along no other axes than it may be."""

from __future__ import annotations

import pytest
import torch

from nnunet_slpt.losses.cpa import at_same_place
from nnunet_slpt.trainers.punet import views
from nnunet_slpt.trainers.punet.views import student_view, whole

GRIDS = {2: (24, 32), 3: (16, 24, 32)}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def ramp(axes: int, batch: int = 16) -> torch.Tensor:
    """Images whose channels are the voxels' coordinates."""
    places = torch.meshgrid(*(torch.arange(size) + 0.5 for size in GRIDS[axes]), indexing="ij")
    return torch.stack(places).expand(batch, -1, *GRIDS[axes])


@pytest.mark.parametrize("axes", [2, 3])
def test_voxels_show_the_place_that_the_box_says(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GAIN", "SHIFT", "NOISE"):
        monkeypatch.setattr(views, name, 0)
    images = ramp(axes)
    view = student_view(images, [size // 2 for size in GRIDS[axes]], 0.0, range(axes))
    there, seen = at_same_place(images, whole(images), view.box, view.images.shape[2:])
    assert seen.all()
    torch.testing.assert_close(view.images, there)
    for axis, size in enumerate(view.images.shape[2:]):
        steps = (torch.arange(size) + 0.5) / size
        start, stop = view.box.start[:, axis, None], view.box.stop[:, axis, None]
        line = view.images[:, axis].movedim(axis + 1, -1)[(slice(None), *[0] * (axes - 1))]
        # At the border the middle of the outermost voxel is the last there is.
        expected = (start + steps * (stop - start)).clamp(0.5, GRIDS[axes][axis] - 0.5)
        torch.testing.assert_close(line, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("axes", "mirrored"), [(2, ()), (2, (1,)), (3, ()), (3, (0, 2)), (3, (0, 1, 2))])
def test_it_is_flipped_along_the_axes_that_may_be(axes: int, mirrored: tuple[int, ...]) -> None:
    box = student_view(ramp(axes, batch=64), GRIDS[axes], 0.3, mirrored).box
    flipped = (box.stop < box.start).any(0)
    assert flipped.tolist() == [axis in mirrored for axis in range(axes)]


@pytest.mark.parametrize("axes", [2, 3])
def test_it_shows_half_of_the_patch_or_more_and_nothing_beyond(axes: int) -> None:
    box = student_view(ramp(axes), GRIDS[axes], 0.3, range(axes)).box
    size, edges = torch.tensor(GRIDS[axes]), torch.stack([box.start, box.stop])
    assert (edges >= 0).all()
    assert (edges <= size).all()
    assert ((box.stop - box.start).abs() >= size / 2 - 1e-4).all()
