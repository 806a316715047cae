"""TypiClust: the dense middle, never the outlier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies import typiclust as module
from nnunet_slpt.selection.strategies.distances import distances
from nnunet_slpt.selection.strategies.typiclust import TypiClust, typicality


def choose(candidates: Candidates, budget: int, **parameters: int) -> Choice:
    return TypiClust(**parameters).choose(candidates, budget, np.random.default_rng(0))


def by_hand(features: np.ndarray, neighbours: int) -> np.ndarray:
    table = np.linalg.norm(features[:, None].astype(np.float64) - features[None], axis=-1)
    nearest = np.sort(table, 1)[:, 1 : neighbours + 1]
    return 1 / nearest.mean(1)


@pytest.mark.parametrize("block", [4, 1024])
def test_typicality_is_the_inverse_of_the_mean_distance(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ROWS", block)
    rng = np.random.default_rng(0)
    features = rng.standard_normal((30, 4), np.float32)
    np.testing.assert_allclose(typicality(features, 5, rng), by_hand(features, 5), rtol=1e-5)
    np.testing.assert_allclose(typicality(features, 20, rng), by_hand(features, 15), rtol=1e-5)


def test_a_large_group_is_compared_with_some_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((1000, 2), np.float32)
    monkeypatch.setattr(module, "_COMPARED", 500)
    columns = []

    def watched(points: np.ndarray, others: np.ndarray) -> np.ndarray:
        columns.append(len(others))
        return distances(points, others)

    monkeypatch.setattr(module, "distances", watched)
    some = typicality(features, 20, rng)
    assert set(columns) == {500}
    assert np.corrcoef(np.log(some), np.log(by_hand(features, 40)))[0, 1] > 0.98


def test_alone_is_not_typical_and_copies_are_very() -> None:
    rng = np.random.default_rng(0)
    assert typicality(np.ones((1, 2), np.float32), 20, rng).tolist() == [0]
    assert (typicality(np.ones((3, 2), np.float32), 20, rng) > 1e6).all()


def test_takes_the_dense_middle_not_the_outlier(candidates: Callable[..., Candidates]) -> None:
    rng = np.random.default_rng(0)
    ring = rng.standard_normal((20, 2)) * 3
    dense = rng.standard_normal((15, 2)) * 0.1 + (1, 1)
    features = np.concatenate((ring, dense, [[25, 0]])).astype(np.float32)  # and an outlier
    choice = choose(candidates(36, features=features, labelled_features=features[:0]), 1, neighbours=5)
    assert 20 <= choice.chosen[0] < 35
    assert choice.values[35] == choice.values.min()


def test_largest_group_without_a_label(candidates: Callable[..., Candidates]) -> None:
    rng = np.random.default_rng(0)
    sizes = (30, 20, 10)
    features = np.concatenate(
        [rng.standard_normal((size, 2)) + 40 * place for place, size in enumerate(sizes)]
    ).astype(np.float32)
    given = candidates(60, features=features, labelled_features=features[:1] + np.float32(0.1))
    first, second = choose(given, 2).chosen
    assert 30 <= first < 50 <= second < 60
    for row, rows in ((first, slice(30, 50)), (second, slice(50, 60))):
        expected = by_hand(features[rows], 10 if row < 50 else 5).argmax() + rows.start
        assert row == expected


def test_number_of_groups_is_limited(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(30), 8, max_groups=1)
    assert choice.chosen == tuple(np.argsort(-choice.values, kind="stable")[:8])
    assert choice.reasons[0] == "The most typical of a group of 30 similar cases"
