"""Diversity begins in the middle of the pool, or with what is farthest from the labelled cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies.diversity import Diversity

LINE = np.array([[0.0], [1], [2], [9], [4]], np.float32)  # mean 3.2


def choose(candidates: Candidates, budget: int) -> Choice:
    return Diversity().choose(candidates, budget, np.random.default_rng(0))


def test_begins_with_the_case_nearest_to_the_mean(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(5, features=LINE, labelled_features=LINE[:0]), 3)
    assert choice.chosen == (4, 3, 0)
    assert choice.values.tolist() == [4, 1, 2, 5, 5]
    assert choice.reasons[0] == "Nearest to the average of all cases"
    assert "distance 4" in choice.reasons[2]


def test_begins_farthest_from_the_labelled_cases(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(5, features=LINE, labelled_features=np.array([[0.0], [9]], np.float32)), 2)
    assert choice.chosen == (4, 2)
    assert choice.values.tolist() == [0, 1, 2, 0, 4]
    assert "distance 4" in choice.reasons[0]
