"""Pooled features, against means over whole images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nnunet_slpt.selection.features import FeatureSums, feature_matrix


def stages(image: Tensor) -> list[Tensor]:
    """Two channels at full resolution, three at half."""
    coarse = F.avg_pool2d(image, 2)
    return [torch.cat([image, image**2], 1), torch.cat([coarse, -coarse, coarse**3], 1)]


def test_patches_add_up_to_the_image() -> None:
    image = torch.randn(1, 1, 8, 12, generator=torch.Generator().manual_seed(0))
    sums = FeatureSums()
    for patch in image.split(6, dim=3):
        sums.add(stages(patch), torch.ones_like(patch))
    for pooled, whole in zip(sums.mean_and_deviation(), stages(image), strict=True):
        flat = whole[0].flatten(1).numpy()
        np.testing.assert_allclose(pooled, [flat.mean(1), flat.std(1)], rtol=1e-4, atol=1e-5)


def test_padding_does_not_count() -> None:
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    alone, padded = FeatureSums(), FeatureSums()
    alone.add(stages(image), torch.ones_like(image))
    outside = F.pad(image, (0, 4, 4, 0), value=7.0)
    padded.add(stages(outside), F.pad(torch.ones_like(image), (0, 4, 4, 0)))
    for one, other in zip(alone.mean_and_deviation(), padded.mean_and_deviation(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("patch", "grids"),
    [
        ((12, 20), [(12, 20), (6, 10), (3, 5)]),
        ((6, 16, 12), [(6, 16, 12), (6, 8, 6), (3, 4, 3)]),
        ((9, 12, 6), [(9, 12, 6), (3, 4, 2)]),
    ],
)
def test_what_counts_is_pooled_as_torch_pools_it(
    patch: tuple[int, ...], grids: list[tuple[int, ...]]
) -> None:
    generator = torch.Generator().manual_seed(0)
    inside = torch.zeros(1, 1, *patch)
    inside[(..., *(slice(1, size - 2) for size in patch))] = 1
    maps = [torch.randn(1, 4, *grid, generator=generator) for grid in grids]
    sums = FeatureSums()
    sums.add(maps, inside)
    pool = {2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}[len(patch)]
    for found, one in zip(sums.mean_and_deviation(), maps, strict=True):
        weight = pool(inside, one.shape[2:])[0].flatten()
        values = one[0].flatten(1)
        mean = (values * weight).sum(1) / weight.sum()
        deviation = ((values.square() * weight).sum(1) / weight.sum() - mean.square()).sqrt()
        np.testing.assert_allclose(found, [mean, deviation], rtol=1e-5, atol=1e-6)


def pooled(cases: int = 5) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(size=(2, width)).astype(np.float32) for width in (3, 4, 20)] for _ in range(cases)]


@pytest.mark.parametrize(("which", "widths"), [("all", 27), ("deep_half", 24), ("deepest", 20)])
def test_the_chosen_stages_side_by_side(which: str, widths: int) -> None:
    matrix = feature_matrix(pooled(), which)
    assert matrix.shape == (5, widths)
    deepest = np.stack([case[2][0] for case in pooled()])
    expected = (deepest - deepest.mean(0)) / (deepest.std(0) * 20**0.5)
    np.testing.assert_allclose(matrix[:, -20:], expected, rtol=1e-4)


def test_every_stage_weighs_the_same() -> None:
    matrix = feature_matrix(pooled(), "all")
    assert [float((matrix[:, part] ** 2).sum()) for part in (slice(3), slice(3, 7), slice(7, 27))] == (
        pytest.approx([5, 5, 5], rel=1e-4)
    )


def test_a_channel_that_never_changes_says_nothing() -> None:
    cases = pooled()
    for case in cases:
        case[2][0, 0] = 3.0
    matrix = feature_matrix(cases, "deepest")
    assert np.abs(matrix[:, 0]).max() < 1e-6
    assert np.isfinite(matrix).all()
