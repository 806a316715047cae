"""k-means representatives: the middle of each group that has no label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies.kmeans import KMeansRepresentatives

# Three groups of 4, 3 and 2; the middles are rows 1, 5 and 7 (of two, the first).
LINE = np.array([[0], [1.1], [2], [1.6], [50], [51], [52], [100], [102]], np.float32)


def choose(candidates: Candidates, budget: int) -> Choice:
    return KMeansRepresentatives().choose(candidates, budget, np.random.default_rng(0))


def test_the_middle_case_of_each_group_larger_groups_first(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(9, features=LINE, labelled_features=LINE[:0]), 3)
    assert choice.chosen == (1, 5, 7)
    assert "group of 4 similar" in choice.reasons[0]
    np.testing.assert_allclose(choice.values[[0, 4, 5, 8]], [-1.175, -1, 0, -1], rtol=1e-4)


def test_groups_with_a_label_are_left_out(candidates: Callable[..., Candidates]) -> None:
    labelled = np.array([[51.2]], np.float32)
    assert choose(candidates(9, features=LINE, labelled_features=labelled), 2).chosen == (1, 7)


def test_a_budget_beyond_the_different_cases_goes_round_again(candidates: Callable[..., Candidates]) -> None:
    twice = np.array([[0], [0], [9], [9]], np.float32)
    assert sorted(choose(candidates(4, features=twice, labelled_features=twice[:0]), 3).chosen)[:2] in (
        [0, 1],
        [0, 2],
    )
