"""Two questions are not mixed in one folder; a kind of network may be added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation.plan import check_question

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
