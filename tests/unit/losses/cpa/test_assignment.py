"""Soft assignment: equal to its formula, and with a gradient that stays finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa import STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, assignment_logits


def some_case(grid: tuple[int, ...] = (3, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, *grid, generator=generator)
    return features, torch.randn(2, 6, 5, generator=generator)


@pytest.mark.parametrize("grid", [(3, 4), (2, 3, 4)])
@pytest.mark.parametrize("temperature", [STUDENT_TEMPERATURE, TEACHER_TEMPERATURE])
def test_equals_loops(grid: tuple[int, ...], temperature: float) -> None:
    features, prototypes = (tensor.double() for tensor in some_case(grid))
    ours = assignment_logits(features, prototypes, temperature).softmax(1).numpy()
    assert ours.shape == (2, 6, *grid)
    for sample, at in ((b, at) for b in range(2) for at in np.ndindex(grid)):
        voxel = features.numpy()[(sample, slice(None), *at)]
        cosines = [voxel @ p / math.sqrt((voxel @ voxel) * (p @ p)) for p in prototypes.numpy()[sample]]
        weights = [math.exp(cosine / temperature) for cosine in cosines]
        expected = [weight / sum(weights) for weight in weights]
        np.testing.assert_allclose(ours[(sample, slice(None), *at)], expected)


def test_length_does_not_matter() -> None:
    features, prototypes = some_case()
    expected = assignment_logits(features, prototypes, STUDENT_TEMPERATURE)
    for size, other in ((1e6, 1e-5), (1e-5, 1e6)):
        logits = assignment_logits(size * features, other * prototypes, STUDENT_TEMPERATURE)
        torch.testing.assert_close(logits, expected)


def test_the_teacher_is_the_sharper_one() -> None:
    assert (STUDENT_TEMPERATURE, TEACHER_TEMPERATURE) == (0.066, 0.033)


def test_a_feature_of_zeros_is_assigned_to_all_alike_and_has_no_gradient() -> None:
    features, prototypes = some_case()
    features[:, :, 0] = 0
    features.requires_grad_()
    logits = assignment_logits(features, prototypes, STUDENT_TEMPERATURE)
    assert not logits[:, :, 0].any()
    logits.square().sum().backward()
    logits = assignment_logits(features, prototypes, STUDENT_TEMPERATURE)
    logits[:, 0].sum().backward()
    assert features.grad is not None
    assert not features.grad[:, :, 0].any()
    assert features.grad[:, :, 1:].all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    features, prototypes = (tensor.to(dtype) for tensor in some_case())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = assignment_logits(1e4 * features, prototypes, STUDENT_TEMPERATURE)
    assert logits.dtype == torch.float32
    wide = assignment_logits((1e4 * features).float(), prototypes.float(), STUDENT_TEMPERATURE)
    torch.testing.assert_close(logits, wide)


@pytest.mark.parametrize("shape", [(1, 6, 5), (2, 6, 4), (2, 5)])
def test_prototypes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match=r"expected \(2, K, 5\)"):
        assignment_logits(some_case()[0], torch.ones(shape), STUDENT_TEMPERATURE)


def test_features_without_a_grid() -> None:
    with pytest.raises(ArchitectureError, match=r"expected \(B, C, \*grid\)"):
        assignment_logits(torch.ones(2, 5), torch.ones(2, 6, 5), STUDENT_TEMPERATURE)
