"""What every strategy promises, for every strategy that there is."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import (
    STRATEGIES,
    Candidates,
    Choice,
    check_candidates,
    make_strategy,
)
from nnunet_slpt.selection.strategies.base import choose_highest

Make = Callable[..., Candidates]
each_strategy = pytest.mark.parametrize("name", STRATEGIES)
NOISY = ("random", "foreground_random", "power_bald", "clasp_pe")  # where chance leaves no ties
ROW_ARRAYS = ("features", "class_entropy", "foreground_voxels")


def choose(name: str, candidates: Candidates, budget: int, seed: int = 0) -> Choice:
    strategy = make_strategy(name, {})
    check_candidates(strategy, candidates, budget)
    return strategy.choose(candidates, budget, np.random.default_rng(seed))


def arrays_of(candidates: Candidates) -> dict[str, Any]:
    arrays = {field.name: getattr(candidates, field.name) for field in fields(candidates)}
    return {**arrays, **{f"scores {name}": score for name, score in candidates.scores.items()}}


def flat(candidates: Candidates, **changes: Any) -> Candidates:
    """Nothing to tell the cases apart by."""
    same = {name: np.full_like(score, 0.5) for name, score in candidates.scores.items()}
    features = np.full_like(candidates.features, 0.1)
    return replace(candidates, **{"features": features, "scores": same, **changes})


def odd_candidates(make: Make) -> dict[str, Candidates]:
    """Pools in which something is missing or everything is alike."""
    usual = make()
    return {
        "usual": usual,
        "nothing labelled": make(labelled=0),
        "labelled not given": make(labelled_features=Candidates(()).labelled_features),
        "many labelled": make(labelled=80),
        "one case": make(cases=1),
        "two cases": make(cases=2),
        "all alike": flat(usual),
        "all alike and like the labelled": flat(usual, labelled_features=np.full((2, 6), 0.1, np.float32)),
        "all alike, nothing labelled": flat(usual, labelled_features=np.empty((0, 6), np.float32)),
        "no class predicted": replace(usual, class_entropy=np.full((30, 3), np.nan, np.float32)),
        "no class": replace(usual, class_entropy=np.empty((30, 0), np.float32)),
        "scores of zero": replace(usual, scores=dict.fromkeys(usual.scores, np.zeros(30, np.float32))),
        "no foreground": replace(usual, foreground_voxels=np.zeros(30, np.float32)),
        "far from the origin": replace(usual, features=usual.features + 1000),
        "large features": replace(usual, features=usual.features * 1e9),
    }


@each_strategy
@pytest.mark.parametrize("budget", ["one", "some", "all"])
def test_answer_is_complete(name: str, budget: str, candidates: Make) -> None:
    for pool, given in odd_candidates(candidates).items():
        cases = len(given.names)
        cases_wanted = {"one": 1, "some": (cases + 2) // 3, "all": cases}[budget]
        choice = choose(name, given, cases_wanted)
        assert len(choice.chosen) == len(set(choice.chosen)) == cases_wanted, pool
        assert all(isinstance(row, int) and 0 <= row < cases for row in choice.chosen), pool
        assert len(choice.reasons) == cases_wanted, pool
        assert all(reason.strip() and "nan" not in reason for reason in choice.reasons), pool
        assert choice.values.shape == (cases,), pool
        assert choice.values.dtype == np.float32, pool
        assert np.isfinite(choice.values).all(), pool


@each_strategy
def test_same_seed_gives_the_same_answer(name: str, candidates: Make) -> None:
    first, second = (choose(name, candidates(), 7, seed=3) for _ in range(2))
    assert first.chosen == second.chosen
    np.testing.assert_array_equal(first.values, second.values)


@each_strategy
def test_global_random_state_is_neither_read_nor_changed(name: str, candidates: Make) -> None:
    np.random.seed(1)
    first = choose(name, candidates(), 7)
    np.random.seed(2)
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    assert choose(name, candidates(), 7).chosen == first.chosen
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]


@each_strategy
def test_order_in_which_files_were_found_does_not_matter(name: str, candidates: Make) -> None:
    given = candidates()
    found = np.random.default_rng(5).permutation(len(given.names))
    back = np.argsort([given.names[row] for row in found])
    shuffled = {key: getattr(given, key)[found] for key in ROW_ARRAYS}
    again = replace(
        given,
        names=tuple(sorted(given.names[row] for row in found)),
        scores={key: score[found][back] for key, score in given.scores.items()},
        **{key: array[back] for key, array in shuffled.items()},
    )
    first, second = choose(name, given, 7), choose(name, again, 7)
    assert [given.names[row] for row in first.chosen] == [again.names[row] for row in second.chosen]


@each_strategy
def test_memory_layout_does_not_matter(name: str, candidates: Make) -> None:
    given = candidates()
    wide = np.zeros((30, 12), np.float32)
    wide[:, ::2] = given.features
    other = replace(given, features=np.asfortranarray(given.features))
    strided = replace(given, features=wide[:, ::2])
    expected = choose(name, given, 7).chosen
    assert choose(name, other, 7).chosen == expected
    assert choose(name, strided, 7).chosen == expected


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in NOISY])
def test_ties_are_broken_by_name(name: str, candidates: Make) -> None:
    strategy = make_strategy(name, {})
    strange = np.linspace(0.1, 0.7, 6, dtype=np.float32)  # no round numbers: sums have rounding errors
    alike = flat(candidates(labelled=0), features=np.tile(strange, (30, 1)))
    chosen = strategy.choose(alike, 5, np.random.default_rng(0)).chosen
    assert chosen == (0, 1, 2, 3, 4)


@each_strategy
def test_inputs_stay_as_they_are(name: str, candidates: Make) -> None:
    given = candidates()
    before = deepcopy(arrays_of(given))
    choose(name, given, 30)
    for key, array in arrays_of(given).items():
        np.testing.assert_equal(array, before[key])


@each_strategy
def test_values_do_not_share_memory_with_the_inputs(name: str, candidates: Make) -> None:
    given = candidates()
    values = choose(name, given, 7).values
    assert not any(np.shares_memory(values, array) for array in arrays_of(given).values() if np.ndim(array))


@each_strategy
def test_only_what_it_needs_is_looked_at(name: str, candidates: Make) -> None:
    given = candidates()
    arrays = {
        "features": ("features", "labelled_features"),
        "predictions": ("scores", "class_entropy"),
        "labels": ("foreground_voxels",),
    }
    needed = {array: getattr(given, array) for need in STRATEGIES[name].needs for array in arrays[need]}
    bare = Candidates(given.names, round_number=given.round_number, **needed)
    assert choose(name, bare, 7).chosen == choose(name, given, 7).chosen


def test_choose_highest_takes_the_first_of_equals_and_nan_last() -> None:
    values = np.array([1, np.nan, 3, 3, -np.inf, 2], np.float32)
    assert choose_highest(values, 3) == [2, 3, 5]
    assert choose_highest(values, 6)[:4] == [2, 3, 5, 0]
