"""The highest scores, with their ranks in words; and the strategies that ask for no more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates, Strategy
from nnunet_slpt.selection.strategies.ranking import Bald, Entropy, PromptDice, highest
from nnunet_slpt.selection.strategies.uncertainty import Uncertainty


def test_highest_first_and_of_equals_the_first() -> None:
    choice = highest(np.array([1.0, 3, 2, 3]), 3, "size")
    assert choice.chosen == (1, 3, 2)
    assert choice.reasons == ("Rank 1 of 4 by size", "Rank 2 of 4 by size", "Rank 3 of 4 by size")
    assert choice.values.dtype == np.float32
    assert choice.values.tolist() == [1, 3, 2, 3]


@pytest.mark.parametrize(
    ("strategy", "score"),
    [(Entropy(), "entropy"), (Bald(), "inter_prompt"), (PromptDice(), "prompt_dice")],
)
def test_ranks_by_its_score_and_by_nothing_else(
    strategy: Strategy, score: str, candidates: Callable[..., Candidates]
) -> None:
    given = candidates()
    choice = strategy.choose(given, 30, np.random.default_rng(0))
    np.testing.assert_array_equal(choice.chosen, np.argsort(-given.scores[score], kind="stable"))
    np.testing.assert_array_equal(choice.values, given.scores[score])


def test_bald_is_the_inter_prompt_part_under_another_name(candidates: Callable[..., Candidates]) -> None:
    given, rng = candidates(), np.random.default_rng(0)
    ours = Uncertainty("inter_prompt").choose(given, 9, rng)
    theirs = Bald().choose(given, 9, rng)
    assert theirs.chosen == ours.chosen
    np.testing.assert_array_equal(theirs.values, ours.values)
