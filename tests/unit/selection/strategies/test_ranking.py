"""The highest scores, with their ranks in words."""

from __future__ import annotations

import numpy as np

from nnunet_slpt.selection.strategies.ranking import highest


def test_highest_first_and_of_equals_the_first() -> None:
    choice = highest(np.array([1.0, 3, 2, 3]), 3, "size")
    assert choice.chosen == (1, 3, 2)
    assert choice.reasons == ("Rank 1 of 4 by size", "Rank 2 of 4 by size", "Rank 3 of 4 by size")
    assert choice.values.dtype == np.float32
    assert choice.values.tolist() == [1, 3, 2, 3]
