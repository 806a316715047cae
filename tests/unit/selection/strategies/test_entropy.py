"""Entropy ranks by entropy and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.entropy import Entropy


def test_ranks_by_the_entropy(candidates: Callable[..., Candidates]) -> None:
    given = candidates()
    choice = Entropy().choose(given, 30, np.random.default_rng(0))
    np.testing.assert_array_equal(choice.chosen, np.argsort(-given.scores["entropy"], kind="stable"))
    np.testing.assert_array_equal(choice.values, given.scores["entropy"])
