"""Two questions are not mixed in one folder; a kind of network may be added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.errors import SimulationError, SLPTError
from nnunet_slpt.simulation.plan import budgets_of, check_question

QUESTION: dict[str, Any] = {"model": {"sha256": "a"}, "punet_model": None, "budgets": [4, 8]}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    file = tmp_path / "simulation.json"
    file.write_text(json.dumps(QUESTION))
    return file


@pytest.mark.parametrize(
    "change",
    [{}, {"budgets": [4, 8, 16]}, {"punet_model": {"sha256": "b"}}, {"model": None, "punet_model": {}}],
)
def test_what_may_be_added(record: Path, change: dict[str, Any]) -> None:
    check_question(record, QUESTION | change)


@pytest.mark.parametrize("change", [{"model": {"sha256": "b"}}, {"budgets": [2, 4]}])
def test_another_question_is_refused(record: Path, change: dict[str, Any]) -> None:
    with pytest.raises(SimulationError, match=rf"another simulation \({next(iter(change))}: got"):
        check_question(record, QUESTION | change)


def test_a_percentage_gives_enough_to_tune_on() -> None:
    assert budgets_of(("5%", "10%", "20%"), 80) == [4, 8, 16]
    assert budgets_of(("5%", "10%", "20%"), 20) == [2, 4]
    assert budgets_of(("5%", "10%", "20%"), 12) == [2]


@pytest.mark.parametrize(
    ("texts", "pool", "told"),
    [
        (("1", "5"), 80, "--budgets 1 of 80 cases: a tuning needs 2 labelled cases or more"),
        (("50%",), 1, "--budgets 50% of 1 cases: a tuning needs 2"),
        (("5", "x"), 80, "The budget is 'x'"),
        ((), 80, "--budgets names none"),
    ],
)
def test_budgets_that_nothing_can_be_tuned_on(texts: tuple[str, ...], pool: int, told: str) -> None:
    with pytest.raises(SLPTError, match=told):
        budgets_of(texts, pool)
