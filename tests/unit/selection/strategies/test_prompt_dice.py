"""Prompt Dice ranks by 1 - Dice between the prompts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.prompt_dice import PromptDice


def test_ranks_by_the_lack_of_overlap(candidates: Callable[..., Candidates]) -> None:
    given = candidates()
    choice = PromptDice().choose(given, 30, np.random.default_rng(0))
    np.testing.assert_array_equal(choice.chosen, np.argsort(-given.scores["prompt_dice"], kind="stable"))
    np.testing.assert_array_equal(choice.values, given.scores["prompt_dice"])
