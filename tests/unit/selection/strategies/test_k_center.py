"""Greedy k-center: the plain algorithm's choice, without its work."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import k_center as module
from nnunet_slpt.selection.strategies.distances import distances
from nnunet_slpt.selection.strategies.k_center import k_center


def pool(kind: str, cases: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "grid":  # many ties
        return rng.integers(0, 4, (cases, 3)).astype(np.float32)
    noise = rng.standard_normal((cases, 8), np.float32)
    if kind == "noise":
        return noise
    return noise * np.float32(0.05) + rng.standard_normal((6, 8), np.float32)[rng.integers(6, size=cases)]


def naive(features: np.ndarray, centres: np.ndarray, budget: int, first: int) -> list[int]:
    """With all distances of all cases."""
    table = distances(features, np.concatenate((features, centres)))
    chosen = [] if len(centres) else [first]
    while len(chosen) < budget:
        columns = [*chosen, *range(len(features), len(features) + len(centres))]
        gap = table[:, columns].min(1)
        gap[chosen] = -1
        chosen.append(int(gap.argmax()))
    return chosen


def radius(features: np.ndarray, centres: np.ndarray) -> float:
    return float(distances(features, centres).min(1).max())


@pytest.mark.parametrize("kind", ["grid", "noise", "groups"])
@pytest.mark.parametrize("labelled", [0, 1, 5])
@pytest.mark.parametrize("batch", [1, 3, 64, 1000])
def test_same_as_the_plain_algorithm(
    kind: str, labelled: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_BATCH", batch)
    for seed in range(3):
        features, centres = pool(kind, 150, seed), pool(kind, labelled, seed + 9)
        assert k_center(features, centres, 40, first=7)[0] == naive(features, centres, 40, 7)


@pytest.mark.parametrize("seed", range(10))
def test_at_most_twice_the_least_radius(seed: int) -> None:
    features, budget = pool("noise", 12, seed), 3
    chosen, _ = k_center(features, features[:0], budget)
    least = min(radius(features, features[list(few)]) for few in combinations(range(12), budget))
    assert radius(features, features[chosen]) <= 2 * least * (1 + 1e-6)


@pytest.mark.parametrize("labelled", [0, 4])
def test_values_are_distances_that_never_rise(labelled: int) -> None:
    features, centres = pool("noise", 60), pool("noise", labelled, seed=1)
    chosen, values = k_center(features, centres, 10, first=3)
    assert (np.diff(values[chosen]) <= 0).all()
    rest = np.setdiff1d(np.arange(60), chosen)
    assert values[rest].max() <= values[chosen].min()
    table = distances(features, np.concatenate((features[chosen], centres)))
    np.testing.assert_array_equal(values[rest], table.min(1)[rest])
    for place, row in enumerate(chosen[1:], 1):
        before = np.concatenate((features[chosen[:place]], centres))
        assert values[row] == distances(features[[row]], before).min()


def test_most_cases_are_looked_at_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = 0
    original = module.nearest

    def counted(points: np.ndarray, centres: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal pairs
        pairs += len(rows) * len(centres)
        return original(points, centres, rows)

    features = pool("noise", 2000)
    cover = module._Cover(features, features[:0], 100)
    monkeypatch.setattr(module, "nearest", counted)
    cover.add(0)
    for _ in range(99):
        cover.add(cover.farthest())
    assert pairs < 2000 * 100 / 2


def test_labelled_cases_are_centres_already() -> None:
    features = np.array([[0.0], [1], [10], [11], [20]], np.float32)
    assert k_center(features, np.array([[10.0]], np.float32), 2)[0] == [0, 4]


def test_one_case() -> None:
    chosen, values = k_center(np.ones((1, 2), np.float32), np.empty((0, 2), np.float32), 1)
    assert chosen == [0]
    assert values.tolist() == [0]
