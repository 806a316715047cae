"""PowerBALD: BALD with noise of the given strength."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.power_bald import PowerBald
from nnunet_slpt.selection.strategies.power_noise import power_noise
from nnunet_slpt.selection.strategies.ranking import Bald


def test_large_exponent_is_bald(candidates: Callable[..., Candidates]) -> None:
    given, rng = candidates(), np.random.default_rng(0)
    assert PowerBald(1e6).choose(given, 9, rng).chosen == Bald().choose(given, 9, rng).chosen


def test_values_are_bald_without_noise(candidates: Callable[..., Candidates]) -> None:
    given = candidates()
    choice = PowerBald().choose(given, 9, np.random.default_rng(0))
    np.testing.assert_array_equal(choice.values, given.scores["inter_prompt"])
    noisy = power_noise(given.scores["inter_prompt"], 1, np.random.default_rng(0))
    assert choice.chosen == tuple(np.argsort(-noisy)[:9])


def test_small_exponent_is_random(candidates: Callable[..., Candidates]) -> None:
    given, rng = candidates(10), np.random.default_rng(0)
    first = [PowerBald(1e-6).choose(given, 1, rng).chosen[0] for _ in range(1000)]
    assert ((np.bincount(first, minlength=10) - 100) ** 2 / 100).sum() < 27.9  # 9 degrees of freedom


def test_prefers_where_prompts_disagree(candidates: Callable[..., Candidates]) -> None:
    scores = candidates(4).scores | {"inter_prompt": np.array([0.01, 0.01, 0.9, 0.01], np.float32)}
    rng = np.random.default_rng(0)
    first = [PowerBald().choose(candidates(4, scores=scores), 1, rng).chosen[0] for _ in range(200)]
    assert 180 < first.count(2) < 200
