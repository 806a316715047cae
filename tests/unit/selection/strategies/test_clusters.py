"""Groups of similar cases, and turns among them."""

from __future__ import annotations

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import clusters as module
from nnunet_slpt.selection.strategies.clusters import Groups, choose_from_groups, group_cases
from nnunet_slpt.selection.strategies.distances import distances


def blobs(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Groups far from each other."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.normal((20 * place, -20 * place), 1, (size, 2)) for place, size in enumerate(sizes)]
    ).astype(np.float32)


def groups_of(group: list[int], labelled: list[int]) -> Groups:
    array = np.array(group)
    sizes = np.bincount(array, minlength=len(labelled))
    return Groups(array, np.zeros(len(group), np.float32), np.array(labelled), sizes)


@pytest.mark.parametrize("large", [module._LARGE, 10])
def test_separate_groups_are_found(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", large)  # 10: mini-batches
    features, labelled = blobs([30, 20, 10]), blobs([2, 0, 1], seed=1)
    groups = group_cases(features, labelled, 3, np.random.default_rng(0))
    for start, size, known in ((0, 30, 2), (30, 20, 0), (50, 10, 1)):
        number = groups.group[start]
        assert set(groups.group[start : start + size]) == {number}
        assert groups.sizes[number] == size
        assert groups.labelled[number] == known
        np.testing.assert_array_equal(groups.members()[number], np.arange(start, start + size))
        middle = features[start : start + size].mean(0, keepdims=True)
        if large > 10 and known == 0:
            expected = distances(features[start : start + size], middle)[:, 0]
            np.testing.assert_allclose(groups.distance[start : start + size], expected, rtol=1e-4)


@pytest.mark.parametrize("large", [module._LARGE, 10])
def test_fewer_different_cases_than_groups(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", large)
    alike = np.ones((12, 2), np.float32)
    groups = group_cases(alike, alike[:1], 5, np.random.default_rng(0))
    assert set(groups.group) == {groups.group[0]}
    assert not groups.distance.any()
    assert groups.sizes.sum() == 12
    assert groups.labelled[groups.group[0]] == 1


@pytest.mark.parametrize("large", [module._LARGE, 10])
def test_same_seed_same_groups(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGE", large)
    features = np.random.default_rng(0).standard_normal((80, 3), np.float32)
    first, second, other = (
        group_cases(features, features[:0], 6, np.random.default_rng(seed)).distance for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_members_of_empty_groups() -> None:
    members = groups_of([2, 0, 2], labelled=[0, 0, 0, 0]).members()
    assert [rows.tolist() for rows in members] == [[1], [], [0, 2], []]


def test_fewest_labelled_then_largest_then_most_wanted() -> None:
    #                  group 0 has a label, group 1 is large, groups 2 and 3 are of equal size
    groups = groups_of([0, 0, 0, 0, 1, 1, 1, 3, 3, 2, 2], labelled=[1, 0, 0, 0])
    wanted = np.array([1, 2, 3, 4, 0, 5, 5, 0, 1, 0, 1], np.float32)
    first_round = [5, 8, 10]
    assert choose_from_groups(groups, wanted, 3) == first_round
    assert choose_from_groups(groups, wanted, 7) == [*first_round, 3, 6, 7, 9]
    assert sorted(choose_from_groups(groups, wanted, 11)) == list(range(11))


def test_equal_groups_take_turns_by_name() -> None:
    groups = groups_of([1, 0, 1, 0], labelled=[0, 0])
    assert choose_from_groups(groups, np.zeros(4, np.float32), 4) == [0, 1, 2, 3]
