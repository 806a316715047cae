"""The settings of every training: each value that the reference allows is taken, each other one refused."""

from __future__ import annotations

from typing import Any

import pytest

from nnunet_slpt.config import PLANS_KEY, TrainingConfig
from nnunet_slpt.errors import ConfigError

NAN, INFINITE = float("nan"), float("inf")


def read(key: str, value: Any) -> Any:
    return getattr(TrainingConfig.from_plans({PLANS_KEY: {key: value}}), key)


@pytest.mark.parametrize(
    ("key", "lowest"),
    [("epochs", 1), ("iterations_per_epoch", 1), ("validation_iterations_per_epoch", 1), ("seed", 0)],
)
def test_whole_numbers_from_the_lowest_on(key: str, lowest: int) -> None:
    assert read(key, lowest) == lowest
    for value in (lowest - 1, lowest + 0.5, lowest + 1.0, True, str(lowest), None):
        with pytest.raises(ConfigError, match=rf'\["{key}"\] is .*, expected a whole number'):
            read(key, value)


def test_a_seed_fits_into_a_signed_number_of_32_bits() -> None:
    assert read("seed", 2**31 - 1) == 2**31 - 1
    with pytest.raises(ConfigError, match=r"below 2\*\*31"):
        read("seed", 2**31)


@pytest.mark.parametrize(
    ("key", "taken", "refused"), [("weight_decay", (0, 1e-9), (-1e-9,)), ("learning_rate", (1e-9, 5), (0,))]
)
def test_numbers_or_nothing(key: str, taken: tuple[float, ...], refused: tuple[float, ...]) -> None:
    for value in (*taken, None):
        assert read(key, value) == value
    for value in (*refused, -1, NAN, INFINITE, True, "0.01", [0.01]):
        with pytest.raises(ConfigError, match=rf'\["{key}"\] is .*, expected a number .*, or null'):
            read(key, value)


@pytest.mark.parametrize("key", ["pretrained_checkpoint", "pretrained_sha256"])
def test_text_or_nothing(key: str) -> None:
    for value in ("a", None):
        assert read(key, value) == value
    for value in (5, False, ["a"]):
        with pytest.raises(ConfigError, match=rf'\["{key}"\] is .*, expected text or nothing'):
            read(key, value)


@pytest.mark.parametrize(("key", "known"), [("optimizer", ("AdamW", "SGD")), ("stem", ("repeat", "average"))])
def test_one_of_the_known_words_or_nothing(key: str, known: tuple[str, ...]) -> None:
    for value in (*known, None):
        assert read(key, value) == value
    for value in (known[0].upper(), "", 0):
        with pytest.raises(ConfigError, match=rf"unknown {key} {value!r}; known: {', '.join(known)}"):
            read(key, value)


def test_axes_or_nothing() -> None:
    for value in ([], [0], [0, 1, 2]):
        assert read("mirror_axes", value) == tuple(value)
    assert read("mirror_axes", None) is None
    for value in ([3], [-1], [0.0], [True], 0, "01"):
        with pytest.raises(
            ConfigError, match=r'\["mirror_axes"\] is .*, expected a list of axes, from 0 to 2'
        ):
            read("mirror_axes", value)


def test_a_refusal_says_what_is_there_what_is_expected_and_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        read("epochs", 0)
    assert str(caught.value) == (
        'plans["slpt"]["epochs"] is 0, expected a whole number from 1 on. Correct it in the plans file or '
        "leave it out for the default, 200."
    )
