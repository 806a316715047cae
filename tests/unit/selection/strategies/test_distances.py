"""Distances: those between equal cases are 0, and blocks change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import distances as module
from nnunet_slpt.selection.strategies.distances import distances, nearest


def points(count: int, seed: int = 0, columns: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, columns), np.float32)


@pytest.mark.parametrize("offset", [0, 100])
def test_against_the_definition(offset: float) -> None:
    left, right = points(20) + np.float32(offset), points(7, seed=1) + np.float32(offset)
    by_hand = np.sqrt(((left.astype(np.float64)[:, None] - right[None]) ** 2).sum(-1))
    np.testing.assert_allclose(distances(left, right), by_hand, rtol=1e-6)


@pytest.mark.parametrize("columns", [1, 3, 1000])
@pytest.mark.parametrize("size", [1e-3, 1, 1e9])
def test_equal_cases_are_at_distance_zero(columns: int, size: float) -> None:
    table = distances(points(30, columns=columns) * size, points(30, columns=columns) * size)
    assert not table.diagonal().any()
    assert (table + np.eye(30) > 0).all()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = nearest(points(50), points(9, seed=1))
    monkeypatch.setattr(module, "_BLOCK", 40)
    for one, other in zip(nearest(points(50), points(9, seed=1)), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nearest_of_some_rows() -> None:
    rows = np.array([3, 40, 4])
    table = distances(points(50), points(9, seed=1))[rows]
    which, distance = nearest(points(50), points(9, seed=1), rows)
    np.testing.assert_array_equal(which, table.argmin(1))
    np.testing.assert_array_equal(distance, table.min(1))


def test_of_equally_near_centres_the_first() -> None:
    centres = np.array([[2.0], [0], [2]], np.float32)
    assert nearest(np.array([[1.0], [1.9]], np.float32), centres)[0].tolist() == [0, 0]


def test_nearest_of_nothing() -> None:
    assert nearest(points(0), points(3))[0].shape == (0,)
