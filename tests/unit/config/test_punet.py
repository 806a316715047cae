"""What a PUNet's two trainings can be told: values out of range are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nnunet_slpt.config import PromptConfig, PUNetConfig, PUNetPretrainConfig
from nnunet_slpt.errors import ConfigError


@pytest.mark.parametrize("value", [1, 0, -2, 2.0, True, "4", None])
def test_one_prototype_teaches_nothing(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"prototypes.*a whole number from 2 on"):
        PUNetPretrainConfig(prototypes=value)


def test_two_do() -> None:
    assert PUNetPretrainConfig.from_plans({"slpt": {"prototypes": 2}}).prototypes == 2


@pytest.mark.parametrize("kind", [PUNetConfig, PUNetPretrainConfig])
def test_what_every_training_is_told_is_checked_here_too(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r'"epochs"\] is 0'):
        kind(epochs=0)


@pytest.mark.parametrize(
    ("tuned", "tokens_inside"),
    [
        ("tokens", True),
        ("head", False),
        ("decoder", False),
        ("bias_norm", False),
        ("adapter", False),
        ("full", True),
    ],
)
def test_tokens_are_inside_the_body_where_the_reference_says(tuned: str, tokens_inside: bool) -> None:
    assert PUNetConfig(tuned=tuned).tokens_inside == tokens_inside


@pytest.mark.parametrize("tuned", ["encoder", None, True])
def test_an_unknown_variant_comes_with_the_known_ones(tuned: Any) -> None:
    with pytest.raises(ConfigError, match=r"unknown tuned .*; known: tokens, head, decoder, bias_norm"):
        PUNetConfig(tuned=tuned)


@pytest.mark.parametrize("jointly", [0, 1, "false", None])
def test_jointly_or_not(jointly: Any) -> None:
    assert PUNetConfig(jointly=True).jointly
    with pytest.raises(ConfigError, match=r'"jointly"\] is .*, expected true or false'):
        PUNetConfig(jointly=jointly)


@pytest.mark.parametrize("value", [0, 0.01, 3])
def test_self_supervision_has_any_weight(value: float) -> None:
    assert PUNetPretrainConfig(weight_assignment=value).weight_assignment == value


@pytest.mark.parametrize("value", [-1e-9, float("nan"), float("inf"), True, "0.01", None])
def test_self_supervision_has_no_weight_below_zero(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'"weight_assignment"\] is .*, expected a number from 0 on'):
        PUNetPretrainConfig(weight_assignment=value)


@pytest.mark.parametrize("value", [0, 0.3, 0.999])
def test_a_part_of_the_view_may_be_hidden(value: float) -> None:
    assert PUNetPretrainConfig(hidden=value).hidden == value


@pytest.mark.parametrize("value", [1, 1.5, -1e-9, float("nan"), False, "0.3", None])
def test_but_not_all_of_it(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'"hidden"\] is .*, expected a share from 0 on, below 1'):
        PUNetPretrainConfig(hidden=value)


@pytest.mark.parametrize(
    ("given", "read"), [(None, None), ([], ()), (["organ", "lesion"], ("organ", "lesion"))]
)
def test_concurrent_classes_are_all_none_or_those_named(given: Any, read: Any) -> None:
    assert PUNetPretrainConfig.from_plans({"slpt": {"concurrent": given}}).concurrent == read


@pytest.mark.parametrize("key", ["classes", "concurrent"])
@pytest.mark.parametrize("value", ["organ", [1], ["organ", None], {"organ": 1}, 3])
def test_classes_are_a_list_of_names(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf'\["{key}"\] is .*, expected a list of names of labels'):
        PUNetPretrainConfig.from_plans({"slpt": {key: value}})


def test_the_networks_classes_are_no_choice() -> None:
    with pytest.raises(ConfigError, match=r'\["classes"\] is None, expected a list of names of labels'):
        PUNetConfig.from_plans({"slpt": {"classes": None}})


@pytest.mark.parametrize(
    "config",
    [
        PUNetConfig(classes=("organ",), tuned="full", jointly=True, mirror_axes=(1,)),
        PUNetPretrainConfig(classes=("organ", "lesion"), concurrent=("lesion",), hidden=0.5),
    ],
)
def test_a_round_trip_through_json_changes_nothing(config: Any) -> None:
    assert type(config).from_plans({"slpt": json.loads(json.dumps(config.as_block()))}) == config


def test_plans_of_a_pretraining_are_known_by_their_block() -> None:
    assert PUNetPretrainConfig.wrote({"slpt": PUNetPretrainConfig().as_block()})
    others = [PUNetConfig().as_block(), PromptConfig().as_block(), {}, None]
    assert not any(PUNetPretrainConfig.wrote({"slpt": block}) for block in others)
    assert not PUNetPretrainConfig.wrote({})


def test_they_tune_nothing() -> None:
    with pytest.raises(ConfigError, match=r"These plans pretrain a PUNet.*nnunet_slpt_plan -d DATASET -m"):
        PUNetConfig.from_plans({"slpt": PUNetPretrainConfig().as_block()})
