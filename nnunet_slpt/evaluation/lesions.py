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
    (of_truth, there), (of_prediction, predicted) = _components(truth), _components(prediction)
    dice = _dice_of_pairs(of_truth, of_prediction, (there + 1, predicted + 1))
    matched = dice[linear_sum_assignment(dice, maximize=True)]
    found = int((matched > 0).sum())
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
    truth: NDArray[np.integer], prediction: NDArray[np.integer], numbers: tuple[int, int]
) -> NDArray[np.float64]:
    """The Dice of each true with each predicted lesion, 0 where they do not match.

    Rows and columns are of those lesions alone that match any other: of specks there may be thousands.
    """
    inside = (truth > 0) | (prediction > 0)
    codes = np.ravel_multi_index((truth[inside], prediction[inside]), numbers)
    codes, overlap = np.unique(codes, return_counts=True)
    pairs = np.unravel_index(codes, numbers)
    sizes = [np.bincount(of, overlap)[of] for of in pairs]
    dice = 2 * overlap / sum(sizes)
    match = (pairs[0] > 0) & (pairs[1] > 0) & (dice >= FOUND_FROM_DICE)
    rows, columns = (np.unique(of[match], return_inverse=True)[1] for of in pairs)
    table = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1))
    table[rows, columns] = dice[match]
    return table


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
