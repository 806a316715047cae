"""Means of cells, areas under curves, rank correlations: against numbers worked out by hand."""

import math
from typing import Any

import pytest
from made_up_cells import made_up_cell

from nnunet_slpt.evaluation.cells import Cell
from nnunet_slpt.evaluation.means import Spread, budget_area, class_mean, rank_correlation, score
from nnunet_slpt.evaluation.pairs import compare


def cell(test: dict[str, Any] | None = None, pool: dict[str, Any] | None = None) -> Cell:
    made_up = made_up_cell("slpt", "tesla", 4, 0)
    return Cell.of(made_up | ({"test": test} if test else {}) | {"pool": pool})


def of_dice(**cases: dict[str, float | None]) -> Cell:
    return cell({case: {name: {"dice": dice} for name, dice in one.items()} for case, one in cases.items()})


def test_score_is_the_mean_over_classes_of_means_over_cases() -> None:
    one = of_dice(a={"RV": 0.2, "LV": 0.9}, b={"RV": None, "LV": 0.7}, c={"RV": 0.4, "LV": 0.8})
    assert class_mean(one, "RV", "dice") == pytest.approx(0.3)
    assert score(one) == pytest.approx((0.3 + 0.8) / 2)  # and not the mean over five numbers
    assert score(one, cases={"a"}) == pytest.approx(0.55)


def test_what_is_never_defined_does_not_count() -> None:
    assert score(of_dice(a={"RV": None, "LV": 0.9})) == 0.9
    assert score(of_dice(a={"RV": None, "LV": None})) is None


def test_a_class_that_no_case_shows_does_not_count_even_if_it_is_predicted() -> None:
    rare = {"dice": None, "lesion_recall": None, "lesion_precision": None}
    falsely = {"dice": 0.0, "lesion_recall": None, "lesion_precision": 0.0}
    missed = {"dice": 0.0, "lesion_recall": 0.0, "lesion_precision": None}
    liver = {"dice": 0.8}
    careful = cell({"a": {"liver": liver, "rare": rare}, "b": {"liver": liver, "rare": rare}})
    careless = cell({"a": {"liver": liver, "rare": falsely}, "b": {"liver": liver, "rare": rare}})
    assert score(careful) == score(careless) == 0.8
    there = cell({"a": {"liver": liver, "rare": falsely}, "b": {"liver": liver, "rare": missed}})
    assert score(there) == pytest.approx(0.4)
    assert score(there, cases={"a"}) == 0.8
    (found,) = compare([careless], [careful])
    assert (found.seeds.mean, found.cases.mean) == (0, 0)


def test_spread_of_one_or_none() -> None:
    assert Spread.of([0.5]) == Spread(0.5, None, 1)
    assert Spread.of([None]) == Spread(None, None, 0)


def test_area_of_a_flat_curve_is_its_height() -> None:
    assert budget_area({5: 0.7, 7: 0.7, 100: 0.7}) == pytest.approx(0.7)


def test_area_of_a_straight_line_over_doublings_is_the_middle() -> None:
    assert budget_area({budget: math.log2(budget) for budget in (4, 8, 16, 64)}) == pytest.approx((2 + 6) / 2)


def test_area_counts_a_doubling_of_few_as_much_as_one_of_many() -> None:
    early, late = {4: 0.0, 8: 1.0, 16: 1.0}, {4: 0.0, 8: 0.0, 16: 1.0}
    assert budget_area(early) - budget_area(late) == pytest.approx(0.5)


def pool_of(pairs: list[tuple[float | None, float | None]]) -> dict[str, Any]:
    return {str(number): {"uncertainty": u, "dice": d} for number, (u, d) in enumerate(pairs)}


def test_rank_correlation() -> None:
    assert rank_correlation(cell(pool=pool_of([(0.1, 0.9), (0.2, 0.8), (9, 0.7), (10, 0.2), (11, 0.1)]))) == (
        pytest.approx(1),
        5,
    )
    # Ranks 1 2 3 4 5 against 2 1 3 4 5: 1 - 6 * 2 / (5 * 24).
    value, n = rank_correlation(cell(pool=pool_of([(1, 0.8), (2, 0.9), (3, 0.7), (4, 0.2), (5, 0.1)])))
    assert (value, n) == (pytest.approx(0.9), 5)


def test_rank_correlation_of_too_few_or_equal_ones_is_none() -> None:
    four = [(0.1, 0.9), (0.2, 0.8), (0.3, 0.7), (0.4, 0.6)]
    assert rank_correlation(cell(pool=None)) == (None, 0)
    assert rank_correlation(cell(pool=pool_of([*four, (0.5, None), (None, 0.5)]))) == (None, 4)
    assert rank_correlation(cell(pool=pool_of([(1.0, dice) for _, dice in [*four, (0, 0.5)]]))) == (None, 5)
