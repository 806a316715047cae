"""The teacher: an exponential average to the formula, which no optimizer and no mode reaches."""

from __future__ import annotations

import torch
from torch import nn

from nnunet_slpt.losses.cpa import TEACHER_MOMENTUM, Teacher


def some_student() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Conv2d(3, 2, 1))


def drift(student: nn.Module, seed: int) -> None:
    """What a step of training does: other parameters and other statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))
        student(torch.randn(2, 1, 5, 5, generator=generator))


def values_of(network: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_closed_form() -> None:
    student, momentum = some_student(), TEACHER_MOMENTUM
    teacher, history = Teacher(student), [values_of(student)]
    for step in range(5):
        drift(student, step)
        history.append(values_of(student))
        teacher.update_parameters(student)
    # t_n = m^n s_0 + (1 - m) sum of m^(n-i) s_i
    for got, start, *later in zip(values_of(teacher.module), *history, strict=True):
        parts = [(1 - momentum) * momentum ** (4 - i) * value for i, value in enumerate(later)]
        torch.testing.assert_close(got, momentum**5 * start + sum(parts))


def test_momentum_is_the_papers() -> None:
    student = some_student()
    teacher, start = Teacher(student), values_of(student)[0]
    drift(student, 0)
    teacher.update_parameters(student)
    torch.testing.assert_close(values_of(teacher.module)[0], 0.99 * start + 0.01 * values_of(student)[0])


def test_buffers_are_copied() -> None:
    student = some_student()
    teacher = Teacher(student)
    drift(student, 0)
    assert teacher.module[1].num_batches_tracked == 0
    teacher.update_parameters(student)
    for got, expected in zip(teacher.module.buffers(), student.buffers(), strict=True):
        assert torch.equal(got, expected)


def test_it_is_a_copy() -> None:
    student = some_student()
    teacher, before = Teacher(student), values_of(student)
    drift(student, 0)
    assert all(map(torch.equal, values_of(teacher.module), before))


def test_no_gradient_reaches_it() -> None:
    teacher = Teacher(some_student())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not teacher(torch.ones(1, 1, 5, 5, requires_grad=True)).requires_grad


def test_the_student_still_learns() -> None:
    student = some_student()
    Teacher(student)
    assert student.training
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_stays_in_eval_mode() -> None:
    teacher = Teacher(some_student().train())
    parent = nn.ModuleList([teacher]).train()
    assert parent.training
    assert not any(module.training for module in teacher.modules())
    image = torch.randn(2, 1, 5, 5)
    assert torch.equal(teacher(image), teacher(image))  # dropout would differ
    assert teacher.module[1].num_batches_tracked == 0


def test_saved_and_loaded_it_goes_on_the_same() -> None:
    student = some_student()
    teacher = Teacher(student)
    drift(student, 0)
    teacher.update_parameters(student)
    again = Teacher(some_student())
    again.load_state_dict(teacher.state_dict())
    drift(student, 1)
    for one in (teacher, again):
        one.update_parameters(student)
    assert all(map(torch.equal, values_of(teacher), values_of(again)))
