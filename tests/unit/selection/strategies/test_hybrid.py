"""Hybrid: diverse among the uncertain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.diversity import Diversity
from nnunet_slpt.selection.strategies.hybrid import Hybrid
from nnunet_slpt.selection.strategies.uncertainty import PARTS, Uncertainty

RNG = np.random.default_rng(0)


def by_hand(candidates: Callable[..., Candidates], labelled: float | None) -> Candidates:
    """Rows 1, 2, 3 and 5 are uncertain, 5 most; 1, 2 and 3 lie together; the certain row 0 lies far away."""
    ones = np.ones(6, np.float32)
    uncertain = np.array([0.1, 0.7, 0.8, 0.9, 0.2, 0.95], np.float32)
    return candidates(
        6,
        features=np.array([[99], [10], [11], [12], [0], [0]], np.float32),
        labelled_features=np.empty((0, 1), np.float32)
        if labelled is None
        else np.array([[labelled]], np.float32),
        scores={**candidates(6).scores, "inter_prompt": uncertain, "intra_prompt": ones},
    )


def test_most_uncertain_and_then_farthest(candidates: Callable[..., Candidates]) -> None:
    choice = Hybrid(pool_factor=2).choose(by_hand(candidates, labelled=0), 2, RNG)
    assert choice.chosen == (3, 1)
    unlike = "; of the first 4, the least like any labelled or chosen case"
    assert choice.reasons == tuple(f"Rank {rank} of 6 by {PARTS['product']}{unlike}" for rank in (2, 4))
    assert choice.values[5] == np.float32(0.95)


def test_begins_with_the_most_uncertain_if_nothing_is_labelled(candidates: Callable[..., Candidates]) -> None:
    choice = Hybrid(pool_factor=2).choose(by_hand(candidates, labelled=None), 2, RNG)
    assert choice.chosen == (5, 3)
    assert (
        choice.reasons[0]
        == "Rank 1 of 6 by how unsure the model's predictions are times how much they disagree"
    )
    assert choice.reasons[1].endswith("; of the first 4, the least like any labelled or chosen case")


def test_between_uncertainty_and_diversity(candidates: Callable[..., Candidates]) -> None:
    given = candidates()
    narrow, wide = Hybrid(pool_factor=1), Hybrid(pool_factor=1000)
    assert set(narrow.choose(given, 9, RNG).chosen) == set(Uncertainty().choose(given, 9, RNG).chosen)
    assert wide.choose(given, 9, RNG).chosen == Diversity().choose(given, 9, RNG).chosen


def test_reads_the_part(candidates: Callable[..., Candidates]) -> None:
    given = by_hand(candidates, labelled=0)
    turned = replace(given, scores={**given.scores, "intra_prompt": -given.scores["inter_prompt"]})
    assert set(Hybrid(1, "intra_prompt").choose(turned, 2, RNG).chosen) == {0, 4}
