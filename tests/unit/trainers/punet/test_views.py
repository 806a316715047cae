"""The student's view lies where its box says, and is flipped along no other axes than it may be."""

from __future__ import annotations

import numpy as np
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


def changed(monkeypatch: pytest.MonkeyPatch, hidden: float, **constants: float) -> tuple[torch.Tensor, ...]:
    """A view of noise with these alterations alone, and what lies there."""
    for name in ("GAIN", "SHIFT", "NOISE"):
        monkeypatch.setattr(views, name, constants.get(name, 0))
    images = torch.randn(8, 2, 48, 48)
    view = student_view(images, (24, 24), hidden, ())
    return view.images, at_same_place(images, whole(images), view.box, (24, 24))[0]


def test_each_channel_of_each_sample_has_a_gain_and_a_shift_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, there = changed(monkeypatch, 0.0, GAIN=views.GAIN, SHIFT=views.SHIFT)
    lines = [
        np.polyfit(x.flatten(), y.flatten(), 1, full=True)
        for x, y in zip(there.flatten(0, 1).numpy(), seen.flatten(0, 1).numpy(), strict=True)
    ]
    assert all(float(residuals[0]) < 1e-4 for _, residuals, *_ in lines)
    gains, shifts = np.stack([coefficients for coefficients, *_ in lines]).T
    for values, middle in ((gains, 1), (shifts, 0)):
        assert len(set(values.round(4))) == 16
        assert (abs(values - middle) < 0.2).all()
        assert abs(values - middle).max() > 0.1


def test_there_is_noise_of_a_tenth_of_a_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, there = changed(monkeypatch, 0.0, NOISE=views.NOISE)
    assert float((seen - there).std()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("hidden", [0.0, 0.3, 0.75])
def test_that_share_of_it_is_hidden_in_blocks_of_an_eighth(
    monkeypatch: pytest.MonkeyPatch, hidden: float
) -> None:
    seen, there = changed(monkeypatch, hidden)
    blocks = (seen == 0).view(8, 2, 8, 3, 8, 3)
    dark = blocks.all(5).all(3)
    assert torch.equal(dark, blocks.any(5).any(3))
    assert (dark.flatten(2).sum(2) == round(64 * hidden)).all()
    assert torch.equal(seen[seen != 0], there[seen != 0])
