"""The block ``plans["slpt"]``: what is refused, and that it survives a round trip through JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from nnunet_slpt.config import REVISION, PromptConfig, check_revision
from nnunet_slpt.errors import ConfigError

NAN, INFINITE = float("nan"), float("inf")
WHOLE = ("prompts", "prompt_channels", "width")
WEIGHTS = ("weight_tversky", "weight_cross_entropy", "weight_diversity")
# The eight that docs/reference/settings.md names.
SWITCHES = (
    *("updaters", "scale_shift", "aspp", "squeeze_excitation"),
    *("separable", "prompt_map", "views", "foreground_start"),
)


def test_without_a_block_the_defaults() -> None:
    assert PromptConfig.from_plans({}) == PromptConfig.from_plans({"slpt": {}}) == PromptConfig()


def test_a_round_trip_through_json_changes_nothing() -> None:
    config = PromptConfig(prompts=4, tversky=((1, 0), (0.2, 0.8)), learning_rate=1, region_based=True)
    assert PromptConfig.from_plans({"slpt": json.loads(json.dumps(config.as_block()))}) == config


def test_the_block_tells_every_setting() -> None:
    assert set(PromptConfig().as_block()) == {field.name for field in dataclasses.fields(PromptConfig)}


def test_an_unknown_key_comes_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        PromptConfig.from_plans({"slpt": {"lamda": 1}})
    assert "'lamda'" in str(caught.value)
    assert all(name in str(caught.value) for name in PromptConfig().as_block())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, value) for key in WHOLE for value in (0, -1, 2.0, True, "3", None)),
        *((part, value) for part in SWITCHES for value in (0, 1, "false", None)),
        *((weight, value) for weight in WEIGHTS for value in (-1e-9, NAN, INFINITE, False, "1", [1], None)),
        *(("tversky", value) for value in ([], [[0.5]], [[0.5, 0.5, 0]], [[0, 0]], [[-1, 2]])),
        *(("tversky", value) for value in ([[0.5, NAN]], [[NAN, 0.5]], [[INFINITE, 1]])),
        *(("tversky", value) for value in (0.5, [0.5, 0.5], "neutral", [["a", "b"]], None)),
    ],
)
def test_a_value_that_cannot_be_used_is_named(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf'\["{key}"\] is .*expected'):
        PromptConfig.from_plans({"slpt": {key: value}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, 1) for key in WHOLE),
        *((part, False) for part in SWITCHES),
        *((weight, value) for weight in WEIGHTS for value in (0, 0.5, 2)),
        *(("tversky", value) for value in (((1.0, 0.0),), ((0.0, 2.0),), ((0.5, 0.5), (0.1, 0.9)))),
        *(("prompts_per_step", value) for value in (1, 3, None)),
    ],
)
def test_a_value_that_can_be_used_is_taken(key: str, value: object) -> None:
    assert getattr(PromptConfig.from_plans({"slpt": {key: value}}), key) == value


def test_some_loss_has_to_remain() -> None:
    with pytest.raises(ConfigError, match="or in weight_cross_entropy"):
        PromptConfig(weight_tversky=0, weight_cross_entropy=0)


@pytest.mark.parametrize("block", [None, [], "prompts", 3])
def test_a_block_that_is_no_dictionary_is_refused(block: object) -> None:
    with pytest.raises(ConfigError, match="expected a dictionary"):
        PromptConfig.from_plans({"slpt": block})


def test_pairs_repeat_in_turn() -> None:
    config = PromptConfig(prompts=5, tversky=((0.5, 0.5), (0.3, 0.7)))
    assert [config.tversky_of(k)[0] for k in range(5)] == [0.5, 0.3, 0.5, 0.3, 0.5]


def test_all_prompts_take_part_in_a_step_or_some_in_turn() -> None:
    assert PromptConfig(prompts=3).prompts_of_step(7) == [0, 1, 2]
    turns = [PromptConfig(prompts=3, prompts_per_step=2).prompts_of_step(step) for step in range(4)]
    assert turns == [[0, 1], [2, 0], [1, 2], [0, 1]]


@pytest.mark.parametrize("turn", [0, 4, 1.0, True])
def test_no_more_prompts_take_part_than_there_are(turn: object) -> None:
    with pytest.raises(ConfigError, match=r'"prompts_per_step"\] is .*, expected a whole number from 1'):
        PromptConfig.from_plans({"slpt": {"prompts_per_step": turn}})


def test_a_model_of_another_revision_is_refused() -> None:
    block = PromptConfig().as_block()
    check_revision({"slpt": block})
    check_revision({"slpt": {"prompts": 2}})  # nobody's model: written by hand
    check_revision({})
    for other in (
        block | {"revision": REVISION + 1},
        {key: block[key] for key in block if key != "revision"},
    ):
        with pytest.raises(ConfigError, match=rf"expected {REVISION}.*Install the version"):
            check_revision({"slpt": other})
