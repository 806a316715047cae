"""Whether the candidates have what a strategy needs: checked once, before it chooses.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["check_candidates"]

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.strategies.base import Candidates, Strategy

SCORES = ("inter_prompt", "intra_prompt", "entropy", "prompt_dice")
_REMEDIES = {
    "features": "describe the cases with the frozen network first",
    "predictions": "predict the cases with the tuned network first, or use a strategy that needs none",
    "labels": "use a strategy that needs no labels; this one is for data that is labelled already",
}
_ANY = -1


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
    names, cases = candidates.names, len(candidates.names)
    _check_names(names)
    if not 1 <= budget_cases <= cases:
        raise SelectionError(
            f"the budget does not fit the pool: got {budget_cases} cases, expected 1 to {cases}, the number "
            "of candidates; ask for as many as there are"
        )
    check = partial(_check_array, strategy)
    if "features" in strategy.needs:
        features, labelled = candidates.features, candidates.labelled_features
        check("features", "features", features, (cases, _ANY), names)
        if np.size(labelled):
            check("features", "labelled_features", labelled, (_ANY, features.shape[1]))
    if "predictions" in strategy.needs:
        for measure in SCORES:
            check("predictions", f"scores[{measure!r}]", candidates.scores.get(measure, ()), (cases,), names)
        entropy = candidates.class_entropy
        entropy = np.where(np.isnan(entropy), 0, entropy)  # of a class that a case has not, there is none
        check("predictions", "class_entropy", entropy, (cases, _ANY), names)
    if "labels" in strategy.needs:
        check("labels", "foreground_voxels", candidates.foreground_voxels, (cases,), names)


def _check_names(names: tuple[str, ...]) -> None:
    for before, after in pairwise(names):
        if before >= after:
            raise SelectionError(
                f"the candidates' names are out of order: got {before!r} before {after!r}, expected each "
                "name once, in ascending order, because ties are broken by name; sort the rows by name"
            )


def _check_array(
    strategy: Strategy, need: str, what: str, array: Any, expected: tuple[int, ...], names: Sequence[str] = ()
) -> None:
    got, remedy = np.shape(array), _REMEDIES[need]
    if got[:1] == (0,):
        raise SelectionError(f"the strategy {strategy.name} needs {what}; got none; {remedy}")
    if len(got) != len(expected) or any(
        want not in (have, _ANY) for want, have in zip(expected, got, strict=True)
    ):
        words = ", ".join("any number" if size == _ANY else str(size) for size in expected)
        raise SelectionError(
            f"{what} for the strategy {strategy.name} has the wrong shape: got {got}, expected ({words}), "
            f"one row for each case; {remedy}"
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row = bad[0][0]
        where = names[row] if names else f"row {row}"
        raise SelectionError(
            f"{what} for the strategy {strategy.name} is not finite for {where}: got {array[tuple(bad[0])]}, "
            f"expected a number; look at that image, leave the case out, or {remedy}"
        )
