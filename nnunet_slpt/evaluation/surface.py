"""How much of two surfaces agree: the normalised surface distance, by MONAI.

Must not import nnU-Net, trainers, planners or selection. MONAI takes seconds to import and is optional, so it
is imported when first needed.
"""

__all__ = ["check_packages", "surface_agreement"]

import importlib.util
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.errors import EvaluationError


def check_packages() -> None:
    """Refuse to begin what could not be measured in the end.

    Raises:
        EvaluationError: MONAI is missing.
    """
    if importlib.util.find_spec("monai") is None:
        raise EvaluationError(
            "Predictions cannot be measured without monai. "
            "Install what measures, in a clone of nnunet_slpt: pip install '.[simulate]'"
        )


def surface_agreement(
    truth: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    spacing_mm: Sequence[float],
    tolerance_mm: float,
) -> float | None:
    """The share of both surfaces that lies within the tolerance of the other one.

    Surfaces are measured by area, in 2D by length, not by counting voxels, so that thick slices weigh what
    they should: Nikolov et al., "Clinically applicable segmentation of head and neck anatomy", JMIR 2021.

    Args:
        truth: (Y, X) or (Z, Y, X).
        prediction: of the same shape.
        spacing_mm: between voxels, one number an axis.
        tolerance_mm: how far is still near.

    Returns:
        From 0 to 1; 0 if only one of them is empty, ``None`` if both are.

    Raises:
        EvaluationError: MONAI is missing.
    """
    if not truth.any() or not prediction.any():
        return 0.0 if truth.any() or prediction.any() else None
    check_packages()
    import torch
    from monai.metrics.surface_dice import compute_surface_dice

    with warnings.catch_warnings():  # MONAI 1.6 calls its own function in a way that it announces to drop
        warnings.filterwarnings("ignore", ".*always_return_as_numpy", FutureWarning)
        agreement = compute_surface_dice(
            torch.from_numpy(np.ascontiguousarray(prediction))[None, None],
            torch.from_numpy(np.ascontiguousarray(truth))[None, None],
            class_thresholds=[tolerance_mm],
            include_background=True,  # the one channel there is
            spacing=[float(size) for size in spacing_mm],  # it refuses to mix 1 and 1.0
            use_subvoxels=True,
        )
    return float(agreement)
