"""The CPA loss: equal to loops, smallest for the teacher's own assignment, and only the student learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa import Box, assignment_loss, online_prototypes


def crop(first: list[int], size: list[int], flipped: list[bool], batch: int = 2) -> Box:
    return Box.of_crop(*(torch.tensor([values] * batch) for values in (first, size, flipped)))


def some_features(grid: list[int], seed: int = 0, channels: int = 5) -> torch.Tensor:
    return torch.randn(2, channels, *grid, generator=torch.Generator().manual_seed(seed))


def same_views(grid: list[int]) -> tuple[Box, Box]:
    box = crop([3] * len(grid), grid, [False] * len(grid))
    return box, box


def assignment(feature: np.ndarray, prototypes: np.ndarray, temperature: float) -> np.ndarray:
    lengths = np.linalg.norm(feature) * np.linalg.norm(prototypes, axis=1)
    weights = np.exp(prototypes @ feature / lengths / temperature)
    return np.asarray(weights / weights.sum())


@pytest.mark.parametrize(
    ("teacher_view", "student_view"),
    [
        (([2, 1], [6, 5], [False, True]), ([4, 0], [5, 4], [True, False])),
        (([0, 0, 1], [4, 3, 4], [True, False, False]), ([1, 1, 0], [4, 4, 3], [False, True, False])),
    ],
)
def test_equals_loops(
    teacher_view: tuple[list[int], list[int], list[bool]],
    student_view: tuple[list[int], list[int], list[bool]],
) -> None:
    teacher, student = some_features(teacher_view[1]), some_features(student_view[1], seed=1)
    prototypes = online_prototypes(teacher, [2] * (teacher.ndim - 2))
    loss = assignment_loss(student, teacher, prototypes, crop(*student_view), crop(*teacher_view))
    terms = []
    for sample, at in ((b, at) for b in range(2) for at in np.ndindex(*student_view[1])):
        places = [
            first + (size - 1 - x if flipped else x)
            for x, first, size, flipped in zip(at, *student_view, strict=True)
        ]
        there = tuple(
            size - 1 - (place - first) if flipped else place - first
            for place, first, size, flipped in zip(places, *teacher_view, strict=True)
        )
        seen = all(0 <= x < size for x, size in zip(there, teacher_view[1], strict=True))
        if not seen:
            continue
        own = prototypes[sample].numpy()
        target = assignment(teacher[(sample, slice(None), *there)].numpy(), own, 0.033)
        guess = assignment(student[(sample, slice(None), *at)].numpy(), own, 0.066)
        terms.append(-float(target @ np.log(guess)))
    assert len(terms) > 3
    assert float(loss) == pytest.approx(sum(terms) / len(terms), rel=1e-4)


def test_smallest_where_the_student_assigns_as_the_teacher() -> None:
    """It is the teacher's entropy there: twice the cosines at twice the temperature."""
    cosines = 0.2 * (2 * torch.rand(2, 4, 4, 4, generator=torch.Generator().manual_seed(0)) - 1)
    prototypes = torch.eye(4, 5).expand(2, 4, 5)

    def with_cosines(cosines: torch.Tensor) -> torch.Tensor:
        return torch.cat([cosines, (1 - cosines.square().sum(1, keepdim=True)).sqrt()], 1)

    def loss(student: torch.Tensor) -> float:
        return float(assignment_loss(student, with_cosines(cosines), prototypes, *same_views([4, 4])))

    alike = with_cosines(2 * cosines)
    entropy = torch.distributions.Categorical(logits=(cosines / 0.033).movedim(1, -1)).entropy().mean()
    assert loss(alike) == pytest.approx(float(entropy), rel=1e-4)
    for seed in range(1, 20):
        assert loss(alike + 0.1 * some_features([4, 4], seed)) > loss(alike)


def test_another_place_costs_more() -> None:
    features = some_features([6, 6])
    prototypes = online_prototypes(features, (3, 3))
    here = crop([0, 0], [6, 6], [False, False])
    flipped = crop([0, 0], [6, 6], [True, False])
    right = assignment_loss(features.flip(2), features, prototypes, flipped, here)
    wrong = assignment_loss(features.flip(2), features, prototypes, here, here)
    assert right < 0.5 * wrong


def test_the_student_learns_and_the_teacher_does_not() -> None:
    teacher, student = (some_features([4, 4], seed).requires_grad_() for seed in (0, 1))
    prototypes = online_prototypes(teacher, (2, 2)).requires_grad_()
    assignment_loss(student, teacher, prototypes, *same_views([4, 4])).backward()
    assert teacher.grad is None
    assert prototypes.grad is None
    assert student.grad is not None
    assert student.grad.any()


def test_gradient_in_double() -> None:
    teacher, student = some_features([3, 3]).double(), some_features([2, 3], 1).double().requires_grad_()
    prototypes = online_prototypes(teacher, (2, 1))
    boxes = crop([1, 0], [2, 3], [False, True]), crop([0, 0], [3, 3], [False, False])
    assert torch.autograd.gradcheck(lambda s: assignment_loss(s, teacher, prototypes, *boxes), (student,))


def test_views_that_do_not_meet_give_zero_with_a_graph() -> None:
    features = some_features([4, 4]).requires_grad_()
    away, here = (crop([first, 0], [4, 4], [False, False]) for first in (40, 0))
    loss = assignment_loss(features, features, online_prototypes(features, (2, 2)), away, here)
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert not features.grad.any()  # not NaN either


def test_voxels_outside_the_overlap_do_not_matter() -> None:
    teacher, student = some_features([4, 4]), some_features([4, 4], 1)
    boxes = crop([2, 0], [4, 4], [False, False]), crop([0, 0], [4, 4], [False, False])
    prototypes = online_prototypes(teacher, (2, 2))
    before = assignment_loss(student, teacher, prototypes, *boxes)
    student[:, :, 2:] = 100 * some_features([2, 4], 3)
    teacher[:, :, :2] = some_features([2, 4], 4)
    torch.testing.assert_close(assignment_loss(student, teacher, prototypes, *boxes), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_half_precision_is_finite_and_close(dtype: torch.dtype, scale: float) -> None:
    teacher, student = ((scale * some_features([4, 4, 4], seed)).to(dtype) for seed in (0, 1))
    student.requires_grad_()
    boxes = same_views([4, 4, 4])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = assignment_loss(student, teacher, online_prototypes(teacher, (2, 2, 2)), *boxes)
    loss.backward()
    assert student.grad is not None
    assert student.grad.isfinite().all()
    wide = teacher.float()
    expected = assignment_loss(student.float(), wide, online_prototypes(wide, (2, 2, 2)), *boxes)
    torch.testing.assert_close(loss, expected)


def test_constant_features() -> None:
    student = torch.ones(2, 5, 4, 4, requires_grad=True)
    loss = assignment_loss(
        student,
        torch.ones(2, 5, 4, 4),
        online_prototypes(torch.ones(2, 5, 4, 4), (2, 2)),
        *same_views([4, 4]),
    )
    loss.backward()
    assert loss.item() == pytest.approx(math.log(4))
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_shapes_that_do_not_fit() -> None:
    features = some_features([4, 4])
    prototypes = online_prototypes(features, (2, 2))
    with pytest.raises(ArchitectureError, match="prototypes do not fit"):
        assignment_loss(features, features[:, :3], prototypes, *same_views([4, 4]))
    with pytest.raises(ArchitectureError, match="a box for each sample"):
        assignment_loss(features, features, prototypes, *same_views([4, 4, 4]))
