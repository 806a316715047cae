"""Self-supervision of a small body: what it teaches, what it may flip, and how a collapse shows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_punets import network
from torch import Tensor, nn

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.networks.punet import Body
from nnunet_slpt.trainers.punet import self_supervision
from nnunet_slpt.trainers.punet.pretraining import COLLAPSED
from nnunet_slpt.trainers.punet.self_supervision import SelfSupervision, mean_cosine
from nnunet_slpt.trainers.punet.views import View, whole

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
    supervision.cosines = [0.2, 0.4]
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
