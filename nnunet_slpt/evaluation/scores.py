"""How well a prediction agrees with the truth, class by class: overlap, surface, lesions.

Arrays in, numbers out; reads no file. Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["METRICS", "TOLERANCE_MM", "case_scores"]

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.lesions import lesion_scores
from nnunet_slpt.evaluation.surface import surface_agreement

Mask = NDArray[np.bool_]
Map = NDArray[np.integer]

METRICS = ("dice", "nsd", "lesion_dice", "lesion_precision", "lesion_recall")
TOLERANCE_MM = 2.0  # the width of a drawn line, about what two people who draw the same organ differ by


def case_scores(
    truth: Map,
    prediction: Map,
    spacing_mm: Sequence[float],
    classes: Mapping[str, Sequence[int]],
    ignore: int | None = None,
    tolerance_mm: float = TOLERANCE_MM,
) -> dict[str, dict[str, float | None]]:
    """Score a case.

    Args:
        truth: what was drawn, (Z, Y, X).
        prediction: what was predicted, on the same grid.
        spacing_mm: between voxels, (Z, Y, X). A single slice is measured in its plane.
        classes: name → its label numbers; of a region several.
        ignore: voxels with this number in the truth count for nothing.
        tolerance_mm: by how much a surface may be off and still counts as found.

    Returns:
        Class → metric (``METRICS``) → a number from 0 to 1, or ``None`` where there is nothing to measure:
        everything if the class is neither there nor predicted, the recall of lesions if none is there, their
        precision if none is predicted.

    Raises:
        EvaluationError: these are not two label maps on one grid, or a package is missing.
    """
    _check(truth, prediction, spacing_mm, tolerance_mm)
    counted = np.ones(truth.shape, bool) if ignore is None else truth != ignore
    return {
        name: _class_scores(
            np.isin(truth, numbers) & counted,
            np.isin(prediction, numbers) & counted,
            spacing_mm,
            tolerance_mm,
        )
        for name, numbers in ((name, list(numbers)) for name, numbers in classes.items())
    }


def _class_scores(
    truth: Mask, prediction: Mask, spacing_mm: Sequence[float], tolerance_mm: float
) -> dict[str, float | None]:
    if len(truth) == 1:  # a slab of one slice would have a top and a bottom; a flat image has an outline
        truth, prediction, spacing_mm = truth[0], prediction[0], spacing_mm[1:]
    box = next(iter(find_objects((truth | prediction).astype(np.uint8))), ...)  # the rest takes but time
    truth, prediction = truth[box], prediction[box]
    lesions = lesion_scores(truth, prediction)
    values = (
        _dice(truth, prediction),
        surface_agreement(truth, prediction, spacing_mm, tolerance_mm),
        lesions.dice,
        lesions.precision,
        lesions.recall,
    )
    return dict(zip(METRICS, values, strict=True))


def _dice(truth: Mask, prediction: Mask) -> float | None:
    """As nnU-Net: ``nnunetv2/evaluation/evaluate_predictions.py``, ``compute_metrics``."""
    both = int(truth.sum()) + int(prediction.sum())
    return 2 * int((truth & prediction).sum()) / both if both else None


def _check(truth: Map, prediction: Map, spacing_mm: Sequence[float], tolerance_mm: float) -> None:
    if truth.shape != prediction.shape or truth.ndim != 3 or truth.size == 0:
        raise EvaluationError(
            f"A truth of shape {truth.shape} and a prediction of shape {prediction.shape}: expected two "
            "label maps (Z, Y, X) on the same grid. Resample the prediction to the image first."
        )
    for name, one in (("truth", truth), ("prediction", prediction)):
        if not np.issubdtype(one.dtype, np.integer):
            raise EvaluationError(
                f"The {name} holds {one.dtype}, expected integers: labels, not probabilities. Round it if it "
                "was read as fractions."
            )
    if len(spacing_mm) != 3 or not all(0 < size < np.inf for size in spacing_mm):
        raise EvaluationError(f"A spacing of {tuple(spacing_mm)}, expected three positive numbers in mm.")
    if not 0 <= tolerance_mm < np.inf:
        raise EvaluationError(f"A tolerance of {tolerance_mm} mm, expected 0 or more.")
