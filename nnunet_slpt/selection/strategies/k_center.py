"""Greedy k-center: again and again the case that is farthest from all centres.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["k_center"]

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Floats
from nnunet_slpt.selection.strategies.distances import nearest

_FIRST_BATCH = 64


def k_center(
    features: Floats, centres: Floats, budget_cases: int, first: int = 0
) -> tuple[list[int], Floats]:
    """Choose cases so that every case has a chosen one, or a given centre, near it.

    The largest distance that is left is at most twice the least possible one. Ties go to the lower row.

    Args:
        features: (N, F).
        centres: (M, F), where there are centres already; M may be 0.
        budget_cases: how many rows to choose, at most N.
        first: the row to begin with where M is 0.

    Returns:
        The rows in the order of the choice. And (N,): for a chosen case its distance to the nearest centre
        when it was chosen, for any other its distance to the nearest centre in the end. These never rise
        along the choice; the first of all, which had no centre, is given the largest.

    References:
        Sener and Savarese (arXiv:1708.00489), algorithm 1.
    """
    cover = _Cover(features, centres, budget_cases)
    begins = len(centres) == 0
    chosen = [cover.add(first)] if begins else []
    while len(chosen) < budget_cases:
        chosen.append(cover.add(cover.farthest()))
    distance = cover.distances()
    if begins:
        distance[first] = np.delete(distance, first).max(initial=0)
    return chosen, distance


class _Cover:
    """Each case's distance to its nearest centre, brought up to date only where it can matter.

    A new centre can only make a distance smaller. So a distance that does not know the newest centres is an
    upper bound, and a case whose bound is below the largest up-to-date distance need not be looked at. The
    choice is that of the plain algorithm, which looks at all N cases for each centre.
    """

    def __init__(self, features: Floats, centres: Floats, capacity: int) -> None:
        self.features = features
        self.added = np.empty((capacity, features.shape[1]), np.float32)
        self.count = 0
        self.bound = np.full(len(features), np.inf, np.float32)
        if len(centres):
            self.bound = nearest(features, centres)[1]
        self.known = np.zeros(len(features), np.intp)  # how many of the added centres a bound takes in
        self.when_chosen: dict[int, np.float32] = {}

    def add(self, row: int) -> int:
        """Make a case a centre."""
        self.when_chosen[row] = self.bound[row]
        self.bound[row] = -1  # never the farthest again
        self.added[self.count] = self.features[row]
        self.count += 1
        return row

    def farthest(self) -> int:
        """The case that is farthest from all centres; of equally far ones the first."""
        batch = _FIRST_BATCH
        row = int(self.bound.argmax())
        while self.known[row] < self.count:
            batch = min(batch, len(self.bound))
            highest = np.argpartition(self.bound, len(self.bound) - batch)[-batch:]
            self._update(np.union1d(highest, [row]))
            batch *= 2
            row = int(self.bound.argmax())
        return row

    def distances(self) -> Floats:
        """All distances: when chosen for the chosen, up to date for the others. (N,)."""
        self._update(np.arange(len(self.bound)))
        self.bound[list(self.when_chosen)] = list(self.when_chosen.values())
        return self.bound

    def _update(self, rows: NDArray[np.intp]) -> None:
        known = self.known[rows]
        for count in np.unique(known[known < self.count]):
            group = rows[known == count]
            distance = nearest(self.features, self.added[count : self.count], group)[1]
            self.bound[group] = np.minimum(self.bound[group], distance)
        self.known[rows] = self.count
