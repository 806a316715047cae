"""Groups of similar cases, and the choice from group after group.

numpy and scikit-learn: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is
beside it.
"""

__all__ = ["Groups", "choose_from_groups", "group_cases"]

import heapq
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Floats
from nnunet_slpt.selection.strategies.distances import nearest

# Above this many cases times groups, mini-batches.
_LARGE = 300_000
_BATCH = 4096
_PASSES = 3
_START = 3  # times the groups: the cases among which the starting centres are looked for


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each case is in.

    Args:
        group: (N,), of each candidate.
        distance: (N,), of each candidate to its group's centre.
        labelled: (G,), how many labelled cases each group has.
        sizes: (G,), how many candidates.
    """

    group: NDArray[np.intp]
    distance: Floats
    labelled: NDArray[np.intp]
    sizes: NDArray[np.intp]

    def members(self) -> list[NDArray[np.intp]]:
        """The candidates' rows, ascending, of each group."""
        order = np.argsort(self.group, kind="stable")
        return np.split(order, np.cumsum(self.sizes)[:-1])


def group_cases(features: Floats, labelled: Floats, count: int, rng: np.random.Generator) -> Groups:
    """k-means over candidates and labelled cases together.

    Args:
        features: (N, F).
        labelled: (M, F), M may be 0.
        count: how many groups to look for, at most N + M.
        rng: for the starting centres.
    """
    points = np.concatenate((features, labelled)) if len(labelled) else features
    centres = _centres(points, count, int(rng.integers(2**31)))
    group, distance = nearest(features, centres)
    of_labelled = nearest(labelled, centres)[0]
    return Groups(
        group, distance, np.bincount(of_labelled, minlength=count), np.bincount(group, minlength=count)
    )


def choose_from_groups(groups: Groups, wanted: Floats, budget_cases: int) -> list[int]:
    """Again and again the most wanted case of the group with the fewest labelled and chosen ones.

    Of groups that are equal in this, the one with more candidates; then the one with the lower row.

    Args:
        groups: of the N candidates.
        wanted: (N,), which cases of a group come first; ties go to the lower row.
        budget_cases: at most N.
    """
    queues = [rows[np.argsort(-wanted[rows], kind="stable")] for rows in groups.members()]
    heap = [
        (int(groups.labelled[group]), -len(rows), int(rows[0]), group, 0)
        for group, rows in enumerate(queues)
        if len(rows)
    ]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < budget_cases:
        taken, size, row, group, place = heapq.heappop(heap)
        chosen.append(row)
        if place + 1 < len(queues[group]):
            heapq.heappush(heap, (taken + 1, size, int(queues[group][place + 1]), group, place + 1))
    return chosen


def _centres(points: Floats, count: int, seed: int) -> Floats:
    """(count, F); some may be equal if there are fewer different points."""
    # Takes a second to import, and most strategies do without it.
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(points) * count > _LARGE:
        method = MiniBatchKMeans(
            count,
            init=_start(points, count, seed),
            n_init=1,
            batch_size=_BATCH,
            max_iter=_PASSES,
            max_no_improvement=None,
            compute_labels=False,
            random_state=seed,
        )
    else:
        method = KMeans(count, n_init=5, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different points than groups
        centres: Floats = method.fit(points).cluster_centers_.astype(np.float32)
    return centres


def _start(points: Floats, count: int, seed: int) -> Floats:
    """k-means++ on some of the points: (count, F).

    In double precision: from single, scikit-learn converts all points again for each centre.
    """
    from sklearn.cluster import kmeans_plusplus

    some = np.random.default_rng(seed).permutation(len(points))[: _START * count]
    centres: Floats = kmeans_plusplus(points[some].astype(np.float64), count, random_state=seed)[0]
    return centres.astype(np.float32)
