"""Whether the candidates have what a strategy needs: checked once, before it chooses.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["check_candidates", "given"]

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.strategies.base import Candidates, Strategy

MEASURES = ("inter_prompt", "intra_prompt", "entropy", "prompt_dice")
_SOURCE = {
    "features": "describe the cases with the frozen network first",
    "predictions": "predict the cases with the tuned network first, or use a strategy that needs none",
    "labels": "use a strategy that needs no labels; this one is for data that is labelled already",
}
_ANY = -1
T = TypeVar("T")


def given(value: T | None, what: str) -> T:
    """The value, which ``check_candidates`` has seen to be there.

    Raises:
        SelectionError: it is not there.
    """
    if value is None:
        raise SelectionError(f"the candidates have no {what}; run check_candidates to see what is missing")
    return value


def check_candidates(strategy: Strategy, candidates: Candidates, budget_cases: int) -> None:
    """Refuse candidates among which the strategy cannot choose.

    Args:
        strategy: whose ``needs`` are looked at; nothing else of the candidates is.
        candidates: from which to choose.
        budget_cases: how many to choose.

    Raises:
        SelectionError: names out of order, a budget that the pool does not have, or an array that is
            missing, has the wrong shape or has a number in it that is not finite.
    """
    _check_names(candidates.names)
    if not 1 <= budget_cases <= len(candidates.names):
        raise SelectionError(
            f"the budget does not fit the pool: got {budget_cases} cases, expected 1 to "
            f"{len(candidates.names)}, the number of candidates; ask for as many as there are"
        )
    check = _Check(strategy, candidates.names)
    if "features" in strategy.needs:
        check.array("features", candidates.features, "features", _ANY)
        check.labelled_features(candidates)
    if "predictions" in strategy.needs:
        for measure in MEASURES:
            check.array(f"scores[{measure!r}]", candidates.scores.get(measure), "predictions")
        check.array("class_entropy", candidates.class_entropy, "predictions", _ANY, nan_allowed=True)
    if "labels" in strategy.needs:
        check.array("foreground_voxels", candidates.foreground_voxels, "labels")


def _check_names(names: tuple[str, ...]) -> None:
    for before, after in pairwise(names):
        if before >= after:
            raise SelectionError(
                f"the candidates' names are out of order: got {before!r} before {after!r}, expected each "
                "name once, in ascending order, because ties are broken by name; sort the rows by name"
            )


class _Check:
    def __init__(self, strategy: Strategy, names: tuple[str, ...]) -> None:
        self.name = strategy.name
        self.names = names

    def array(
        self, what: str, array: Any, source: str, columns: int | None = None, nan_allowed: bool = False
    ) -> None:
        """Check what the strategy needs: (N,), or (N, columns)."""
        if array is None:
            raise SelectionError(f"the strategy {self.name} needs {what}; got none; {_SOURCE[source]}")
        self._shape(
            what, array, source, (len(self.names),) if columns is None else (len(self.names), columns)
        )
        bad = np.isinf(array) if nan_allowed else ~np.isfinite(array)
        self._finite(what, array, bad, source, self.names)

    def labelled_features(self, candidates: Candidates) -> None:
        """Check (M, F), which may be left out."""
        labelled, what = candidates.labelled_features, "labelled_features"
        if labelled is not None:
            self._shape(what, labelled, "features", (_ANY, given(candidates.features, "features").shape[1]))
            rows = [f"row {row}" for row in range(len(labelled))]
            self._finite(what, labelled, ~np.isfinite(labelled), "features", rows)

    def _shape(self, what: str, array: Any, source: str, expected: tuple[int, ...]) -> None:
        got = np.shape(array)
        if len(got) != len(expected) or any(
            want not in (have, _ANY) for want, have in zip(expected, got, strict=True)
        ):
            words = ", ".join("any number" if size == _ANY else str(size) for size in expected)
            raise SelectionError(
                f"{what} for the strategy {self.name} has the wrong shape: got {got}, expected ({words}), "
                f"one row for each case; {_SOURCE[source]}"
            )

    def _finite(self, what: str, array: Any, bad: Any, source: str, rows: Sequence[str]) -> None:
        if bad.any():
            raise SelectionError(
                f"{what} for the strategy {self.name} is not finite for {rows[np.argwhere(bad)[0][0]]}: got "
                f"{array[bad][0]}, expected a number; look at that image, leave the case out, or "
                f"{_SOURCE[source]}"
            )
