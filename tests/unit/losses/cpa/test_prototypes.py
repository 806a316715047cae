"""Online prototypes: equal to k-means written as loops, near their seeds, and defined on any features."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa import online_prototypes, prototypes


def some_features(grid: tuple[int, ...], channels: int = 5, batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, channels, *grid, generator=torch.Generator().manual_seed(seed))


def k_means(sample: np.ndarray, seeds: tuple[int, ...], reach: float = 1) -> np.ndarray:
    """The same for one sample (C, *grid), voxel by voxel: (K, C)."""
    grid = sample.shape[1:]
    voxels = list(np.ndindex(grid))
    cells = list(itertools.product(*map(range, seeds)))
    feature = {at: sample[(slice(None), *at)] / np.linalg.norm(sample[(slice(None), *at)]) for at in voxels}
    centres = [
        feature[tuple(math.floor((c + 0.5) / s * n) for c, s, n in zip(cell, seeds, grid, strict=True))]
        for cell in cells
    ]
    for _ in range(3):
        sums = [np.zeros(sample.shape[0]) for _ in cells]
        for at in voxels:
            weights = []
            for centre, cell in zip(centres, cells, strict=True):
                place = [(x + 0.5) / n * s for x, n, s in zip(at, grid, seeds, strict=True)]
                far = math.dist(place, [c + 0.5 for c in cell])
                weights.append(math.exp(float(feature[at] @ centre) / 0.033 - far**2 / 2 / reach**2))
            for k, weight in enumerate(weights):
                sums[k] = sums[k] + weight / sum(weights) * feature[at]
        centres = [total / np.linalg.norm(total) for total in sums]
    return np.stack(centres)


@pytest.mark.parametrize(("grid", "seeds"), [((7, 6), (3, 2)), ((5, 4, 6), (2, 1, 3)), ((4, 4), (4, 4))])
def test_equals_loops(grid: tuple[int, ...], seeds: tuple[int, ...]) -> None:
    features = some_features(grid).double()
    ours = online_prototypes(features, seeds)
    theirs = np.stack([k_means(sample.numpy(), seeds) for sample in features])
    assert ours.shape == (2, math.prod(seeds), 5)
    torch.testing.assert_close(ours, torch.from_numpy(theirs))


def test_two_tissues_are_found() -> None:
    features = torch.zeros(1, 2, 8, 8)
    features[:, 0, :3], features[:, 1, 3:] = 1, 1
    found = online_prototypes(features, (2, 1))
    torch.testing.assert_close(found, torch.eye(2)[None], rtol=0, atol=1e-5)


def test_space_keeps_prototypes_of_one_tissue_apart() -> None:
    # Directions that turn slowly from left to right: without the spatial weight the ends are drawn together.
    angle = torch.linspace(0, 0.4, 32)
    features = torch.stack((angle.cos(), angle.sin()))[None, :, :, None].expand(1, 2, 32, 2)

    def spread(found: torch.Tensor) -> float:
        first, *_, last = found
        return math.acos(float(first @ last))

    without_space = torch.from_numpy(k_means(features[0].double().numpy(), (4, 1), reach=math.inf))
    assert spread(online_prototypes(features, (4, 1))[0]) > 5 * spread(without_space)


def test_each_sample_has_its_own() -> None:
    features = some_features((6, 6))
    alone = [online_prototypes(sample[None], (2, 2)) for sample in features]
    torch.testing.assert_close(online_prototypes(features, (2, 2)), torch.cat(alone))


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0])
def test_constant_features_do_not_break_it(value: float) -> None:
    found = online_prototypes(torch.full((1, 3, 4, 4, 4), value), (2, 2, 2))
    expected = torch.full((1, 8, 3), np.sign(value) / 3**0.5)
    torch.testing.assert_close(found, expected)


def test_a_prototype_that_nobody_is_close_to_has_a_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    # With this seed and temperature its weights fall below anything that single precision can hold.
    monkeypatch.setattr(prototypes, "STEPS", 10)
    monkeypatch.setattr(prototypes, "TEACHER_TEMPERATURE", 1e-3)
    features = some_features((6, 6), channels=2, batch=1, seed=184)
    found = online_prototypes(features, (3, 3))
    torch.testing.assert_close(found.norm(dim=2), torch.ones(1, 9))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_finite_and_close(dtype: torch.dtype) -> None:
    features = (some_features((6, 6)) * 1e4).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = online_prototypes(features, (2, 2))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, online_prototypes(features.float(), (2, 2)))


def test_no_gradient() -> None:
    assert not online_prototypes(some_features((4, 4)).requires_grad_(), (2, 2)).requires_grad


@pytest.mark.parametrize("seeds", [(2,), (2, 2, 2), (0, 2), (5, 2)])
def test_seeds_that_do_not_fit(seeds: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match=r"\(4, 4\).*expected 2 numbers"):
        online_prototypes(some_features((4, 4)), seeds)


def test_features_without_a_grid() -> None:
    with pytest.raises(ArchitectureError, match=r"got shape \(2, 5\)"):
        online_prototypes(some_features(()), ())
