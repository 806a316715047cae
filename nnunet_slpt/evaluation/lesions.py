"""Which lesions were found: connected components of truth and prediction, matched one to one.

Components and matching are SciPy's. Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["FOUND_FROM_DICE", "LesionScores", "lesion_scores"]

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label
from scipy.optimize import linear_sum_assignment

Mask = NDArray[np.bool_]

FOUND_FROM_DICE = 0.2  # low: this asks whether a lesion was found, Dice and surface ask how well it was drawn


@dataclass(frozen=True)
class LesionScores:
    """Scores of a case, from 0 to 1; ``None`` where there is nothing to divide by.

    Args:
        dice: mean over all lesions, missed ones and false alarms counting 0.
        precision: share of the predicted lesions that are there.
        recall: share of the lesions there that were found.
    """

    dice: float | None
    precision: float | None
    recall: float | None


def lesion_scores(truth: Mask, prediction: Mask) -> LesionScores:
    """Score a case lesion by lesion.

    A lesion is a connected component, corners counting as contact. A predicted and a true lesion match if
    their Dice is at least ``FOUND_FROM_DICE``; each matches one other at most, so that the sum is largest.

    Args:
        truth: (Y, X) or (Z, Y, X).
        prediction: of the same shape.
    """
    dice = _dice_of_pairs(*_components(truth), *_components(prediction))
    dice[dice < FOUND_FROM_DICE] = 0
    rows, columns = linear_sum_assignment(dice, maximize=True)
    matched = dice[rows, columns]
    found = int((matched > 0).sum())
    there, predicted = dice.shape
    return LesionScores(
        dice=_share(float(matched.sum()), there + predicted - found),
        precision=_share(found, predicted),
        recall=_share(found, there),
    )


def _components(mask: Mask) -> tuple[NDArray[np.integer], int]:
    """Each voxel's lesion, 0 where there is none; and how many lesions there are."""
    labelled, count = label(mask, generate_binary_structure(mask.ndim, mask.ndim))
    return labelled, int(count)


def _dice_of_pairs(
    truth: NDArray[np.integer], there: int, prediction: NDArray[np.integer], predicted: int
) -> NDArray[np.float64]:
    """The Dice of every true with every predicted lesion, (there, predicted)."""
    inside = (truth > 0) | (prediction > 0)
    pairs = np.ravel_multi_index((truth[inside], prediction[inside]), (there + 1, predicted + 1))
    table = np.bincount(pairs, minlength=(there + 1) * (predicted + 1)).reshape(there + 1, predicted + 1)
    sizes = table.sum(1)[1:, None] + table.sum(0)[None, 1:]
    return np.asarray(2 * table[1:, 1:] / sizes)


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
