"""Strategies by name, and their parameters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.strategies import STRATEGIES, TESLA, make_strategy, resolve

each_strategy = pytest.mark.parametrize("name", STRATEGIES)
ALL = {
    "diversity",
    "kmeans",
    "typiclust",
    "random",
    "uncertainty",
    "entropy",
    "bald",
    "power_bald",
    "prompt_dice",
    "clasp_pe",
    "hybrid",
    "foreground_random",
}


def test_all_are_there() -> None:
    assert set(STRATEGIES) == ALL


@each_strategy
def test_parameters_go_through_json_and_back(name: str) -> None:
    strategy = make_strategy(name, {})
    assert strategy.name == name
    parameters = json.loads(json.dumps(strategy.parameters()))
    assert make_strategy(name, parameters) == strategy
    assert strategy.needs <= {"features", "predictions", "labels"}


@each_strategy
def test_has_a_docstring_of_its_own(name: str) -> None:
    assert "ABC" not in (STRATEGIES[name].__doc__ or "ABC")
    assert not (STRATEGIES[name].__doc__ or "").startswith(f"{STRATEGIES[name].__name__}(")


def test_tesla_is_two_in_tandem() -> None:
    assert resolve(TESLA, any_labelled=False) == "kmeans"
    assert resolve(TESLA, any_labelled=True) == "hybrid"


def test_any_two_go_in_tandem() -> None:
    assert resolve("random+hybrid", any_labelled=False) == "random"
    assert resolve("random+hybrid", any_labelled=True) == "hybrid"


@each_strategy
@pytest.mark.parametrize("any_labelled", [False, True])
def test_other_names_stay(name: str, any_labelled: bool) -> None:
    assert resolve(name, any_labelled) == name


def test_unknown_name() -> None:
    with pytest.raises(SelectionError, match="unknown strategy 'divers'; known: tesla, diversity, "):
        resolve("divers", any_labelled=False)
    for wrong, part in (
        ("divers+random", "divers"),
        ("random+tesla", "tesla"),
        ("random+", ""),
        ("a+b+c", "a"),
    ):
        with pytest.raises(SelectionError, match=f"unknown strategy '{part}'"):
            resolve(wrong, any_labelled=False)
    with pytest.raises(SelectionError, match="unknown strategy 'tesla'; known: diversity, "):
        make_strategy("tesla", {})


def test_unknown_parameter() -> None:
    with pytest.raises(SelectionError, match=r"clasp_pe.* 'class_shares'; known: class_share, beta_first"):
        make_strategy("clasp_pe", {"class_shares": 0.5})
    with pytest.raises(SelectionError, match=r"random.* 'seed'; known: none"):
        make_strategy("random", {"seed": 1})
    with pytest.raises(SelectionError, match=r"random.* 'name'; known: none"):
        make_strategy("random", {"name": "uncertainty"})


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("uncertainty", {"part": "both"}, "part: 'both'; known: inter_prompt, intra_prompt, product, sum"),
        ("uncertainty", {"part": ["sum"]}, "known: inter_prompt"),
        ("hybrid", {"part": None}, "known: inter_prompt"),
        ("hybrid", {"pool_factor": 0.5}, "pool_factor.* got 0.5, expected a number at least 1"),
        ("power_bald", {"beta": 0}, "beta.* got 0, expected a number above 0"),
        ("power_bald", {"beta": "1"}, "beta.* got '1'"),
        ("power_bald", {"beta": float("nan")}, "beta.* got nan"),
        ("power_bald", {"beta": float("inf")}, "beta.* got inf"),
        ("power_bald", {"beta": True}, "beta.* got True"),
        ("clasp_pe", {"class_share": 1.1}, "class_share.* at least 0 and at most 1"),
        ("clasp_pe", {"beta_first": 0}, "beta_first"),
        ("clasp_pe", {"beta_last": -1}, "beta_last"),
        ("clasp_pe", {"rounds": 0}, "rounds.* got 0, expected a whole number at least 1"),
        ("clasp_pe", {"rounds": 2.5}, "rounds.* got 2.5, expected a whole number"),
        ("typiclust", {"neighbours": 0}, "neighbours"),
        ("typiclust", {"max_groups": 0}, "max_groups"),
        ("foreground_random", {"foreground_share": -0.1}, "foreground_share"),
    ],
)
def test_bad_value(name: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        make_strategy(name, parameters)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("hybrid", {"pool_factor": 1, "part": "sum"}),
        ("power_bald", {"beta": 8}),
        ("clasp_pe", {"class_share": 0, "rounds": 1}),
        ("foreground_random", {"foreground_share": 1}),
    ],
)
def test_good_value(name: str, parameters: dict[str, Any]) -> None:
    assert parameters.items() <= make_strategy(name, parameters).parameters().items()
