"""Self-supervision of a small body: what it teaches, what it may flip, and how a collapse shows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_punets import network
from torch import Tensor, nn

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.losses.cpa import online_prototypes
from nnunet_slpt.networks.punet import Body
from nnunet_slpt.trainers.punet import self_supervision
from nnunet_slpt.trainers.punet.pretraining import COLLAPSED
from nnunet_slpt.trainers.punet.self_supervision import SelfSupervision, mean_cosine
from nnunet_slpt.trainers.punet.views import View, student_view, whole

PATCHES = {2: (32, 32), 3: (8, 32, 32)}


def body_of(axes: int) -> Body:
    return network(axes=axes, patch_size=PATCHES[axes]).body


def images(axes: int) -> Tensor:
    return torch.randn(2, 2, *PATCHES[axes], generator=torch.Generator().manual_seed(0))


class Changed(nn.Module):
    """A body whose features are scaled, and moved into one direction."""

    def __init__(self, body: Body, scale: float, shift: float) -> None:
        super().__init__()
        self.body = body
        self.plan = body.plan
        self.scale = scale
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.body(x) + self.shift


@pytest.mark.parametrize("axes", [2, 3])
def test_the_student_alone_gets_a_gradient(axes: int) -> None:
    body = body_of(axes)
    supervision = SelfSupervision(body, hidden=0.3, prototypes=4)
    loss = supervision.loss(images(axes))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() > 0
    assert any(bool(weights.grad.any()) for weights in body.parameters() if weights.grad is not None)
    assert all(weights.grad is None for weights in supervision.teacher.parameters())


@pytest.mark.parametrize("axes", [2, 3])
def test_a_view_that_is_the_patch_has_the_teachers_own_assignment(
    axes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def same(x: Tensor, *_: Any) -> View:
        return View(x, whole(x))

    supervision = SelfSupervision(body_of(axes).eval(), hidden=0.0, prototypes=4)
    x = images(axes)
    torch.manual_seed(0)
    another = supervision.loss(x, range(axes))
    monkeypatch.setattr(self_supervision, "student_view", same)
    assert supervision.loss(x) < another


@pytest.mark.parametrize("axes", [2, 3])
def test_the_view_is_flipped_along_the_axes_that_it_is_told(
    axes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    draw = self_supervision.student_view

    def spy(x: Tensor, grid: Any, hidden: float, mirrored: Any) -> Any:
        told.append(tuple(mirrored))
        return draw(x, grid, hidden, mirrored)

    monkeypatch.setattr(self_supervision, "student_view", spy)
    supervision = SelfSupervision(body_of(axes), hidden=0.3, prototypes=4)
    supervision.loss(images(axes))
    supervision.loss(images(axes), [1])
    assert told == [(), (1,)]


@pytest.mark.parametrize(
    ("patch", "halves", "seeds"),
    [
        ((32, 32), (16, 16), [4, 4]),
        ((8, 32, 32), (4, 16, 16), [1, 4, 4]),
        ((24, 12), (12, 12), [3, 3]),  # of 12 voxels, strides of 4 do not divide the half
        ((64, 20), (32, 20), [4, 4]),
    ],
)
@torch.no_grad()
def test_both_sides_are_compared_at_half_the_resolution_and_each_where_it_lies(
    monkeypatch: pytest.MonkeyPatch, patch: tuple[int, ...], halves: tuple[int, ...], seeds: list[int]
) -> None:
    views, told = [], []

    def spy_view(*given: Any) -> View:
        views.append(student_view(*given))
        return views[-1]

    def spy_prototypes(theirs: Tensor, grid: list[int]) -> Tensor:
        told.append((theirs.shape[2:], grid))
        return online_prototypes(theirs, grid)

    def spy_loss(mine: Tensor, theirs: Tensor, _: Tensor, here: Any, there: Any) -> Tensor:
        assert mine.shape[2:] == theirs.shape[2:] == halves
        assert here is views[0].box
        assert there.start.tolist() == [[0] * len(patch)] * 2
        assert there.stop.tolist() == [[*patch]] * 2
        return torch.zeros(())

    monkeypatch.setattr(self_supervision, "student_view", spy_view)
    monkeypatch.setattr(self_supervision, "online_prototypes", spy_prototypes)
    monkeypatch.setattr(self_supervision, "assignment_loss", spy_loss)
    body = network(axes=len(patch), patch_size=patch).body
    SelfSupervision(body, hidden=0.3, prototypes=4).loss(torch.randn(2, 2, *patch))
    assert views[0].images.shape[2:] == halves
    assert told == [(halves, seeds)]


@torch.no_grad()
def test_features_are_compared_without_their_level_and_scale() -> None:
    losses = []
    for scale, shift in ((1, 0), (5, 0), (1, 3)):
        supervision = SelfSupervision(Changed(body_of(2), scale, shift), hidden=0.3, prototypes=4)  # type: ignore[arg-type]
        torch.manual_seed(0)
        losses.append(supervision.loss(images(2)).item())
    assert losses[1:] == pytest.approx([losses[0]] * 2, rel=1e-2)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize(
    ("scale", "shift", "collapsed"),
    [(1, 0, False), (1e-4, 0, False), (1e4, 0, False), (1, 1, False), (1e-3, 1, True), (1, 1e3, True)],
)
@torch.no_grad()
def test_a_collapse_shows_however_small_the_residue(
    axes: int, scale: float, shift: float, collapsed: bool
) -> None:
    supervision = SelfSupervision(Changed(body_of(axes), scale, shift), hidden=0.3, prototypes=4)  # type: ignore[arg-type]
    supervision.loss(images(axes))
    assert (supervision.likeness() > COLLAPSED) == collapsed


def test_the_mean_cosine_is_that_of_all_pairs() -> None:
    features = torch.randn(2, 5, 3, 4)
    voxels = torch.nn.functional.normalize(features.flatten(2), dim=1)
    assert mean_cosine(features) == pytest.approx(float((voxels.mT @ voxels).mean()), rel=1e-5)


def test_it_is_that_of_the_batches_since_the_last_call() -> None:
    supervision = SelfSupervision(body_of(2), hidden=0.3, prototypes=4)
    supervision.cosines = [torch.tensor(0.2), torch.tensor(0.4)]
    assert supervision.likeness() == pytest.approx(0.3)
    assert supervision.cosines == []


@pytest.mark.parametrize(("patch", "refused"), [((8, 8), True), ((4, 8, 8), True), ((16, 32), False)])
def test_a_patch_of_one_prototype_is_refused(patch: tuple[int, ...], refused: bool) -> None:
    supervision = SelfSupervision(network(axes=len(patch), patch_size=patch).body, 0.3, 4)
    if refused:
        with pytest.raises(ConfigError, match="room for one prototype"):
            supervision.check_patch()
    else:
        supervision.check_patch()


def test_a_patch_of_one_deepest_voxel_is_refused() -> None:
    strides = [[1, 1], [4, 4], [4, 4]]
    small, large = (network(axes=2, strides=strides, patch_size=(size, 32)).body for size in (32, 64))
    with pytest.raises(ConfigError, match="32 x 32 voxels is too small: the student sees 16 x 16 of it, one"):
        SelfSupervision(small, 0.3, 4).check_patch()
    SelfSupervision(large, 0.3, 4).check_patch()
