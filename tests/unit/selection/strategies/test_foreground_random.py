"""Foreground-aware random: the promised part of the budget has foreground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies.foreground_random import ForegroundRandom

RARE = np.zeros(100, np.float32)
RARE[[3, 30, 60, 61, 62, 90]] = 1


def choose(candidates: Candidates, budget: int, share: float = 0.5, seed: int = 0) -> Choice:
    return ForegroundRandom(share).choose(candidates, budget, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("budget", "share", "least"), [(1, 0.5, 1), (4, 0.5, 2), (5, 0.5, 3), (4, 1, 4), (5, 0.2, 1), (8, 0.5, 4)]
)
def test_half_of_the_budget_rounded_up(
    budget: int, share: float, least: int, candidates: Callable[..., Candidates]
) -> None:
    for seed in range(20):
        choice = choose(candidates(100, foreground_voxels=RARE), budget, share, seed)
        assert all(RARE[row] for row in choice.chosen[:least])
        reasons = [reason for reason in choice.reasons if "foreground" in reason]
        assert len(reasons) == least


def test_the_rest_is_drawn_from_all_cases(candidates: Callable[..., Candidates]) -> None:
    given = candidates(100, foreground_voxels=RARE)
    rest = [choose(given, 2, seed=seed).chosen[1] for seed in range(400)]
    share = np.mean([RARE[row] > 0 for row in rest])
    assert 0.01 < share < 0.12  # 5 of 99
    assert len(set(rest)) > 90


def test_every_case_with_foreground_has_the_same_probability(candidates: Callable[..., Candidates]) -> None:
    given = candidates(100, foreground_voxels=RARE)
    first = [choose(given, 1, seed=seed).chosen[0] for seed in range(600)]
    counts = np.bincount(first, minlength=100)[RARE > 0]
    assert ((counts - 100) ** 2 / 100).sum() < 20.5  # the 99.9 % quantile for 5 degrees of freedom


def test_too_few_with_foreground(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(100, foreground_voxels=RARE), 40)
    assert set(np.flatnonzero(RARE)) == set(choice.chosen[:6])
    assert len(set(choice.chosen)) == 40
