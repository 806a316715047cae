"""The demo's picture shows cases under the names that they deserve, however few there are."""

import pytest
from run import cases_to_show


@pytest.mark.parametrize(
    ("ranked", "shown"),
    [
        ("a", {"a": "only"}),
        ("ab", {"a": "best", "b": "worst"}),
        ("abc", {"a": "best", "b": "middle", "c": "worst"}),
        ("abcdefgh", {"a": "best", "e": "middle", "h": "worst"}),
    ],
)
def test_cases_are_shown_from_best_to_worst(ranked: str, shown: dict[str, str]) -> None:
    assert list(cases_to_show(ranked).items()) == list(shown.items())
