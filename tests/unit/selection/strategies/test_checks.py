"""What is refused before a strategy chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.strategies import STRATEGIES, Candidates, check_candidates, make_strategy

Make = Callable[..., Candidates]


def check(name: str, candidates: Candidates, budget: int = 5) -> None:
    check_candidates(make_strategy(name, {}), candidates, budget)


def with_one(array: Any, value: float, row: int = 4) -> np.ndarray:
    changed = np.array(array)
    changed[row] = value
    return changed


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_complete_is_accepted(name: str, candidates: Make) -> None:
    check(name, candidates())


@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_missing_is_named(name: str, candidates: Make) -> None:
    bare = Candidates(candidates().names)
    if not STRATEGIES[name].needs:
        check(name, bare)
        return
    with pytest.raises(SelectionError, match=f"strategy {name} needs .*; got none; .*(first|use a)"):
        check(name, bare)


@pytest.mark.parametrize("measure", ["inter_prompt", "intra_prompt", "entropy", "prompt_dice"])
def test_missing_measure(measure: str, candidates: Make) -> None:
    given = candidates()
    scores = {name: score for name, score in given.scores.items() if name != measure}
    with pytest.raises(SelectionError, match=measure):
        check("uncertainty", replace(given, scores=scores))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(value: float, candidates: Make) -> None:
    given = candidates()
    changes: list[tuple[str, dict[str, Any]]] = [
        ("diversity", {"features": with_one(given.features, value)}),
        ("entropy", {"scores": {**given.scores, "entropy": with_one(given.scores["entropy"], value)}}),
        ("foreground_random", {"foreground_voxels": with_one(given.foreground_voxels, value)}),
    ]
    for name, change in changes:
        with pytest.raises(SelectionError, match=f"for case_0004: got {value}, expected a number"):
            check(name, replace(given, **change))
    labelled = with_one(given.labelled_features, value, row=2)
    with pytest.raises(SelectionError, match=f"labelled_features .* for row 2: got {value}"):
        check("diversity", replace(given, labelled_features=labelled))


def test_class_entropy_may_be_nan_and_not_infinite(candidates: Make) -> None:
    given = candidates()
    check("clasp_pe", replace(given, class_entropy=with_one(given.class_entropy, np.nan)))
    with pytest.raises(SelectionError, match="case_0004: got inf"):
        check("clasp_pe", replace(given, class_entropy=with_one(given.class_entropy, np.inf)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("diversity", {"features": np.zeros((29, 6))}, r"got \(29, 6\), expected \(30, any number\)"),
        ("diversity", {"features": np.zeros(30)}, r"got \(30,\), expected \(30, any number\)"),
        ("diversity", {"labelled_features": np.zeros((3, 5))}, r"got \(3, 5\), expected \(any number, 6\)"),
        ("diversity", {"labelled_features": np.zeros(6)}, r"got \(6,\), expected \(any number, 6\)"),
        ("diversity", {"labelled_features": np.float32(1)}, r"got \(\), expected \(any number, 6\)"),
        ("entropy", {"class_entropy": np.zeros(30)}, r"got \(30,\), expected \(30, any number\)"),
        ("foreground_random", {"foreground_voxels": np.zeros((30, 2))}, r"got \(30, 2\), expected \(30\)"),
    ],
)
def test_shapes_that_disagree(name: str, change: dict[str, Any], message: str, candidates: Make) -> None:
    with pytest.raises(SelectionError, match=message):
        check(name, candidates(**change))


def test_scores_of_another_length(candidates: Make) -> None:
    given = candidates()
    with pytest.raises(SelectionError, match=r"'entropy'.* got \(29,\), expected \(30\)"):
        check("bald", replace(given, scores={**given.scores, "entropy": np.zeros(29, np.float32)}))


@pytest.mark.parametrize("budget", [0, -1, 31])
def test_budget_outside_the_pool(budget: int, candidates: Make) -> None:
    with pytest.raises(SelectionError, match=f"got {budget} cases, expected 1 to 30"):
        check("random", candidates(), budget)


@pytest.mark.parametrize("names", [("b", "a"), ("a", "a"), ("a", "b", "b")])
def test_names_out_of_order(names: tuple[str, ...]) -> None:
    with pytest.raises(SelectionError, match="out of order"):
        check("random", Candidates(names), 1)


def test_empty_pool() -> None:
    with pytest.raises(SelectionError, match="budget does not fit"):
        check("random", Candidates(()), 1)
