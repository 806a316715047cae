"""Random choice is uniform."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.random import Random, random_order


def test_every_set_has_the_same_probability(candidates: Callable[..., Candidates]) -> None:
    rng, given, draws = np.random.default_rng(0), candidates(5), 6000
    counts = dict.fromkeys(combinations(range(5), 2), 0)
    for _ in range(draws):
        counts[tuple(sorted(Random().choose(given, 2, rng).chosen))] += 1  # type: ignore[index]
    expected = draws / len(counts)
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 27.9  # the 99.9 % quantile for 9 degrees of freedom


def test_order_has_no_ties_and_lies_in_its_range() -> None:
    values = random_order(100_000, np.random.default_rng(0))
    assert len(np.unique(values)) == 100_000
    assert values.min() > 0
    assert values.max() == 1
