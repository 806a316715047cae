"""What a budget stands for, and refusing what is none."""

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.budget import parse_budget


@pytest.mark.parametrize(
    ("text", "pool_cases", "cases"),
    [
        ("5", 100, 5),
        (" 5 ", 100, 5),
        ("007", 100, 7),
        ("100", 100, 100),
        ("5%", 100, 5),
        ("5 %", 100, 5),
        ("100%", 7, 7),
        ("2.5%", 100, 3),  # 2.5 cases: a half is rounded up
        ("2.4%", 100, 2),
        ("0.1%", 1000, 1),
        ("1.15%", 1000, 12),  # 11.5 cases; as a float it is less
        ("0.001%", 3, 1),  # at least one
        ("99.9%", 3, 3),
    ],
)
def test_a_number_or_a_share_of_the_pool(text, pool_cases, cases):
    assert parse_budget(text, pool_cases) == cases


@pytest.mark.parametrize("pool_cases", [1, 7, 100, 260])
def test_every_share_gives_at_least_one_case_and_at_most_all(pool_cases):
    budgets = [parse_budget(f"{tenth / 10}%", pool_cases) for tenth in range(1, 1001)]
    assert budgets[0] == 1
    assert budgets[-1] == pool_cases
    assert budgets == sorted(budgets)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "abc",
        "-3",
        "+3",
        "-5%",
        "5.0",
        "1e2",
        "1_0",
        "nan",
        "5%%",
        "2,5%",
        "5 cases",
        "\u0665",
        "9" * 5000,
    ],
)
def test_what_is_neither_a_number_nor_a_percentage_is_refused(text):
    with pytest.raises(SelectionError, match=r"expected a whole number of cases from 1 on.*or a percentage"):
        parse_budget(text, 100)


@pytest.mark.parametrize("text", ["0", "000", "0%", "0.0%"])
def test_nothing_is_no_budget(text):
    with pytest.raises(SelectionError, match=f"budget is {text}: nothing would be chosen"):
        parse_budget(text, 100)


@pytest.mark.parametrize("text", ["101", "101%", "100.1%", "999999999999999"])
def test_more_than_there_is_is_refused_with_what_there_is(text):
    with pytest.raises(
        SelectionError,
        match=rf"budget is {text}(, \d+ of 100 cases)?, but there are only 100 cases to choose from",
    ):
        parse_budget(text, 100)


@pytest.mark.parametrize(
    ("text", "stands_for"), [("10", ""), ("2", ""), ("40%", ", 2 of 5 cases"), ("200%", "")]
)
def test_what_is_named_is_what_is_left(text, stands_for):
    assert parse_budget("20%", 5, left=1) == 1
    with pytest.raises(SelectionError, match=rf"{stands_for}, but there are only 1 cases .* Pass 1 or less"):
        parse_budget(text, 5, left=1)


@pytest.mark.parametrize("text", ["1", "5%"])
def test_of_an_empty_pool_nothing_can_be_chosen(text):
    with pytest.raises(SelectionError, match="only 0 cases"):
        parse_budget(text, 0)
