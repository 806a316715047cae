"""Cluster uncertainty: of each group the most uncertain typical case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies.cluster_uncertainty import ClusterUncertainty

# Three groups of 5, 3 and 2; the middles are rows 2, 6 and, of two that are equally far, both.
LINE = np.array([[0], [4], [5], [5.5], [9], [50], [51], [53], [100], [102]], np.float32)
UNSURE = np.array([0.9, 0.1, 0.2, 0.3, 0.8, 0.4, 0.5, 0.6, 0.05, 0.07], np.float32)


def by_hand(candidates: Callable[..., Candidates], labelled: float | None = None) -> Candidates:
    """Uncertainties that say another thing than the distances to the middles."""
    return candidates(
        10,
        features=LINE,
        labelled_features=None if labelled is None else np.array([[labelled]], np.float32),
        scores={"inter_prompt": UNSURE, "intra_prompt": np.ones(10, np.float32)},
    )


def choose(strategy: ClusterUncertainty, candidates: Candidates, budget: int) -> Choice:
    return strategy.choose(candidates, budget, np.random.default_rng(0))


def test_the_most_uncertain_of_those_near_the_middle(candidates: Callable[..., Candidates]) -> None:
    choice = choose(ClusterUncertainty(), by_hand(candidates), 3)
    assert choice.chosen == (3, 6, 9)
    assert choice.reasons[1] == (
        "In a group of 3 similar cases, and rank 4 of 10 by how far the prompts' predictions lie apart, "
        "times how unsure they are"
    )
    np.testing.assert_array_equal(choice.values, UNSURE)


def test_groups_with_a_label_are_left_out(candidates: Callable[..., Candidates]) -> None:
    assert choose(ClusterUncertainty(), by_hand(candidates, labelled=51), 2).chosen == (3, 9)


@pytest.mark.parametrize(("share", "chosen"), [(0, (2, 6, 9)), (0.5, (3, 6, 9)), (1, (0, 7, 9))])
def test_how_many_are_typical(
    candidates: Callable[..., Candidates], share: float, chosen: tuple[int, ...]
) -> None:
    assert choose(ClusterUncertainty(typical_share=share), by_hand(candidates), 3).chosen == chosen


def test_a_budget_beyond_the_typical_cases_takes_the_others(candidates: Callable[..., Candidates]) -> None:
    assert sorted(choose(ClusterUncertainty(), by_hand(candidates), 10).chosen) == [*range(10)]


def test_reads_the_part(candidates: Callable[..., Candidates]) -> None:
    given = by_hand(candidates)
    turned = replace(given, scores={**given.scores, "intra_prompt": 1 - UNSURE})
    assert choose(ClusterUncertainty(part="intra_prompt"), turned, 3).chosen == (1, 5, 8)
