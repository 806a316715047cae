"""BALD is the inter-prompt part under another name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.bald import Bald
from nnunet_slpt.selection.strategies.uncertainty import Uncertainty


def test_same_choice_as_the_inter_prompt_part(candidates: Callable[..., Candidates]) -> None:
    given, rng = candidates(), np.random.default_rng(0)
    ours = Uncertainty("inter_prompt").choose(given, 9, rng)
    theirs = Bald().choose(given, 9, rng)
    assert theirs.chosen == ours.chosen
    np.testing.assert_array_equal(theirs.values, ours.values)
