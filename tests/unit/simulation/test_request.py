"""What cannot be simulated is refused before a file is read."""

from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.errors import SLPTError
from nnunet_slpt.selection.strategies import STRATEGIES, TESLA
from nnunet_slpt.simulation.request import Request, chooses, has_prompts, needs_of
from nnunet_slpt.tuning_methods import TUNING_METHODS


def request(**options: Any) -> Request:
    return Request(dataset="7", models=(Path("model"),), output=Path("output"), **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"methods": ("slpd",)}, "unknown method 'slpd'; known: slpt, "),
        ({"strategies": ("telsa",)}, "unknown strategy 'telsa'; known: tesla, "),
        ({"strategies": ("random+hybird",)}, "unknown strategy 'hybird'; known: tesla, "),
        ({"jobs": 0}, "--jobs is 0, expected 1 or more"),
        ({"epochs": 0}, r'\["epochs"\] is 0, expected a whole number from 1 on'),
        ({"tolerance_mm": -1.0}, "--tolerance_mm is -1.0, expected 0 or more"),
        ({"tolerance_mm": float("nan")}, "--tolerance_mm is nan, expected 0 or more"),
        ({"strategies": ("tesla",), "budgets": ("5",), "calibrate": True}, r"ask K prompts \(tesla\)"),
        ({"strategies": ("tesla", "random")}, r"ask K prompts \(tesla\) .* none \(full_adamw\)"),
    ],
)
def test_refusals(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SLPTError, match=told):
        request(**options)


def test_with_one_budget_no_tuned_network_is_asked() -> None:
    assert request(strategies=("tesla",), budgets=("5",)).strategies == ("tesla",)


def test_every_method_with_one_prompt_or_none_cannot_disagree() -> None:
    without = {name for name in TUNING_METHODS if not has_prompts(name)}
    assert {"full_adamw", "lora", "head", "slpt_k1"} <= without
    assert {"slpt", "slpt_k2", "slpt_no_updaters"}.isdisjoint(without)


def test_tesla_looks_at_features_and_then_at_predictions_too() -> None:
    assert needs_of(TESLA, 0) == {"features"}
    assert needs_of(TESLA, 1) == {"features", "predictions"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_where_no_prompts_are_tuned_yet_kmeans_chooses_for_those_that_ask_them(name: str) -> None:
    asks = "predictions" in needs_of(name, 3)
    assert chooses(name, 0) == ("kmeans" if asks else name)
    assert chooses(name, 1) == chooses(name, 3) == name


def test_two_in_tandem() -> None:
    assert [chooses("random+hybrid", number) for number in (0, 1, 2)] == ["random", "hybrid", "hybrid"]
    assert [chooses("bald+random", number) for number in (0, 1)] == ["kmeans", "random"]
    with pytest.raises(SLPTError, match=r"ask K prompts \(random\+bald\)"):
        request(strategies=("random+bald",))
    assert request(strategies=("bald+random",)).strategies == ("bald+random",)
