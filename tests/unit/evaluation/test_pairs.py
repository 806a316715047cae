"""Paired differences: pairs by budget and seed, common test cases, wins and ties, when there is a p value."""

from typing import Any

import pytest
from made_up_cells import made_up_cell

from nnunet_slpt.evaluation.cells import Cell
from nnunet_slpt.evaluation.pairs import FEWEST_TO_TEST, Paired, compare

Dice = dict[str, dict[str, float | None]]  # case → class → Dice


def cell(dice: Dice, budget: int = 4, seed: int = 0) -> Cell:
    test = {case: {name: {"dice": value} for name, value in one.items()} for case, one in dice.items()}
    made_up: dict[str, Any] = made_up_cell("any", "any", budget, seed)
    return Cell.of(made_up | {"test": test})


def test_p_value_is_the_exact_one_and_only_where_it_can_be_small() -> None:
    assert FEWEST_TO_TEST == 6
    up = [0.01, 0.02, 0.03, 0.04, 0.05]
    five, six = Paired.of(up), Paired.of([*up, 0.06])
    assert five is not None
    assert six is not None
    assert five.p is None
    assert six.p == pytest.approx(2 / 2**6)
    ties = Paired.of([*up, 0.0])
    assert ties is not None
    assert ties.p is None  # five that differ


def test_wins_and_ties() -> None:
    paired = Paired.of([0.1, -0.1, 0.0, 1e-17])
    assert paired is not None
    assert paired.win_rate == (1 + 0 + 0.5 + 0.5) / 4
    assert Paired.of([]) is None


def test_pairs_have_the_same_budget_and_seed() -> None:
    first = [cell({"a": {"RV": 0.8}}, 4, 0), cell({"a": {"RV": 0.9}}, 4, 1), cell({"a": {"RV": 1.0}}, 8, 0)]
    second = [cell({"a": {"RV": 0.7}}, 4, 0), cell({"a": {"RV": 0.1}}, 8, 1), cell({"a": {"RV": 0.6}}, 8, 0)]
    few, many, overall = compare(first, second)
    assert (few.budget, many.budget, overall.budget) == (4, 8, None)
    assert few.by_seed == {0: pytest.approx(0.1)}
    assert many.by_seed == {0: pytest.approx(0.4)}
    assert overall.by_seed == {0: pytest.approx(0.25)}  # a seed counts once
    assert (overall.seeds.n, overall.cases.n) == (1, 1)


def test_all_budgets_together_are_of_the_seeds_that_have_them_all() -> None:
    first = [cell({"a": {"RV": 0.8}}, 4, 0), cell({"a": {"RV": 1.0}}, 8, 0), cell({"a": {"RV": 0.9}}, 4, 1)]
    second = [cell({"a": {"RV": 0.7}}, 4, 0), cell({"a": {"RV": 0.6}}, 8, 0), cell({"a": {"RV": 0.0}}, 4, 1)]
    few, _, overall = compare(first, second)
    assert few.by_seed == {0: pytest.approx(0.1), 1: pytest.approx(0.9)}
    assert overall.by_seed == {0: pytest.approx(0.25)}
    assert overall.cases.mean == pytest.approx(0.25)
    assert [each.budget for each in compare(first[1:], second)] == [4, 8]  # no seed has both


def test_one_budget_is_not_repeated_as_all() -> None:
    one = cell({"a": {"RV": 0.8}})
    assert [each.budget for each in compare([one], [one])] == [4]
    assert compare([one], []) == []


def test_only_common_test_cases_count() -> None:
    first = cell({"a": {"RV": 0.5}, "b": {"RV": 0.9}})
    second = cell({"b": {"RV": 0.6}, "c": {"RV": 0.0}})
    (found,) = compare([first], [second])
    assert found.seeds.mean == pytest.approx(0.3)
    assert found.cases.n == 1


def test_finding_rightly_nothing_beats_finding_something() -> None:
    # LV is not in case b; the second predicts it there nevertheless.
    first = cell({"a": {"RV": 0.5, "LV": 0.5}, "b": {"RV": 0.5, "LV": None}})
    second = cell({"a": {"RV": 0.5, "LV": 0.5}, "b": {"RV": 0.5, "LV": 0.0}})
    (found,) = compare([first], [second])
    assert found.cases.mean == pytest.approx((0 + 0.5) / 2)
    assert found.cases.win_rate == 0.75
    assert found.seeds.mean == pytest.approx((0 + 0.25) / 2)
