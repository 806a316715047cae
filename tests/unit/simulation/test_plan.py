"""What is refused before anything runs: a device, a model, and to mix two questions in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import about, plans_of, write_model, write_raw

from nnunet_slpt.errors import SimulationError, SLPTError
from nnunet_slpt.simulation.plan import budgets_of, check_question, plan_simulation
from nnunet_slpt.simulation.request import Request

QUESTION: dict[str, Any] = {"model": {"sha256": "a"}, "punet_model": None, "budgets": [4, 8]}


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Request]:
    """Of a simulation with a model that knows one channel."""

    def make(channels: tuple[str, ...], device: str) -> Request:
        for name in ("raw", "preprocessed", "results"):
            monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
        write_raw(tmp_path / "raw" / "Dataset200_Target", about(channels))
        model = write_model(tmp_path / "models", plans_of(), about())
        return Request(dataset="200", models=(model,), output=tmp_path / "out", test="2", device=device)

    return make


def test_a_device_that_is_not_there_is_refused_at_once(
    request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SLPTError, match="-device is cuda, and PyTorch sees no such device here"):
        plan_simulation(request_of(("MRI",), "cuda"))


def test_a_model_of_other_channels_is_refused_at_once(request_of: Callable[..., Request]) -> None:
    with pytest.raises(SimulationError, match=r"takes 1 image channel\(s\), the dataset has 2"):
        plan_simulation(request_of(("CT", "PET"), "cpu"))


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
