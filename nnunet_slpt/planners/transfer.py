"""Plans for a dataset from a model's plans: what is the model's, and what is the dataset's.

Pure: values in, values out. Must not import torch, nor read a file.
"""

__all__ = ["Wishes", "batch_size_for", "patch_size_for", "resampled", "shrinks_by", "transfer"]

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape
from numpy.typing import NDArray

from nnunet_slpt.config import PLANS_KEY, TrainingConfig
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.host_conventions import INTENSITIES

# nnU-Net's (experiment_planning/experiment_planners/default_experiment_planner.py): a batch may show this
# share of the dataset's voxels, but is never smaller than two.
MOST_OF_DATASET = 0.05
SMALLEST_BATCH = 2


@dataclass(frozen=True)
class Wishes:
    """What the user wants otherwise than in the model's plans.

    Args:
        patch_size: in voxels, in the order of the model's; ``None`` keeps it.
        batch_size: ``None`` follows nnU-Net's rule.
    """

    patch_size: tuple[int, ...] | None = None
    batch_size: int | None = None


def transfer(
    plans: Mapping[str, Any],
    configuration: str,
    *,
    dataset: str,
    plans_name: str,
    reader: str,
    channels: int,
    labelled: int,
    spacings_mm: NDArray[np.float64],
    shapes: NDArray[np.int64],
    wishes: Wishes,
    block: TrainingConfig,
) -> dict[str, Any]:
    """Topology, spacing, normalisation, resampling and axes are the model's; the rest is the dataset's.

    Args:
        plans: the model's, in today's format.
        configuration: the one that is carried over.
        dataset: name of the dataset.
        plans_name: of the new plans; preprocessed cases go to ``PLANS_CONFIGURATION``, so that no others are
            overwritten.
        reader: nnU-Net's class that reads the dataset's images.
        channels: of the dataset's images. Channel i is normalised as channel i mod n of the model's n.
        labelled: number of cases with a label.
        spacings_mm: (cases, 3), axes as the reader gives them.
        shapes: (cases, 3), in voxels.
        wishes: what is to be otherwise.
        block: the block ``slpt``.

    Raises:
        PlanningError: the patch does not fit the network, or the model's plans lack what normalisation needs.
    """
    settings = copy.deepcopy(dict(plans["configurations"][configuration]))
    order = list(plans["transpose_forward"])
    axes = len(settings["patch_size"])
    patch = patch_size_for(settings, wishes.patch_size)
    sizes = resampled(spacings_mm, shapes, settings["spacing"], order)
    median = [float(size) for size in np.median(sizes, 0)]
    settings |= {
        "data_identifier": f"{plans_name}_{configuration}",
        "patch_size": patch,
        "median_image_size_in_voxels": median[-axes:],
        "batch_size": wishes.batch_size or batch_size_for(settings, patch, math.prod(median) * labelled),
        **{key: _in_turn(settings[key], channels) for key in ("normalization_schemes", "use_mask_for_norm")},
    }
    return {
        **plans,
        "dataset_name": dataset,
        "plans_name": plans_name,
        "original_median_spacing_after_transp": np.median(spacings_mm, 0)[order].tolist(),
        "original_median_shape_after_transp": np.median(shapes, 0)[order].round().astype(int).tolist(),
        "image_reader_writer": reader,
        "configurations": {configuration: settings},
        "experiment_planner_used": "SLPTPlanner",
        INTENSITIES: _intensities(plans, settings["normalization_schemes"]),
        PLANS_KEY: block.as_block(),
    }


def batch_size_for(settings: Mapping[str, Any], patch: Sequence[int], voxels: float) -> int:
    """As many voxels as a batch of the model has, but at most 5 % of the dataset's, and two patches at least.

    Args:
        settings: the model's configuration.
        patch: the new patch, in voxels.
        voxels: of all labelled cases together, after resampling.
    """
    same_memory: float = settings["batch_size"] * math.prod(settings["patch_size"]) / math.prod(patch)
    share_of_dataset: float = MOST_OF_DATASET * voxels / math.prod(patch)
    return max(min(round(same_memory), round(share_of_dataset)), SMALLEST_BATCH)


def patch_size_for(settings: Mapping[str, Any], wanted: Sequence[int] | None) -> list[int]:
    """The patch, if the network can halve it as often as it has to.

    Args:
        settings: the model's configuration.
        wanted: in voxels; ``None`` takes the model's.

    Raises:
        PlanningError: it cannot.
    """
    own = list(settings["patch_size"])
    if wanted is None:
        return own
    steps = shrinks_by(settings)
    if len(wanted) != len(own):
        raise PlanningError(
            f"--patch_size has {len(wanted)} numbers, expected {len(own)}, one an axis as in the model's "
            f"{_words(own)}."
        )
    if any(size <= 0 or size % step for size, step in zip(wanted, steps, strict=True)):
        nearest = [max(round(size / step), 1) * step for size, step in zip(wanted, steps, strict=True)]
        raise PlanningError(
            f"--patch_size is {_words(wanted)}, expected multiples of {_words(steps)}: so much the network "
            f"shrinks its features. Pass --patch_size {' '.join(map(str, nearest))}"
        )
    return list(wanted)


def shrinks_by(settings: Mapping[str, Any]) -> list[int]:
    """By what the network divides the patch along each axis; the patch has to be a multiple of it.

    Args:
        settings: the model's configuration.
    """
    steps: list[int] = np.prod(np.array(settings["architecture"]["arch_kwargs"]["strides"]), axis=0).tolist()
    return steps


def resampled(
    spacings_mm: NDArray[np.float64],
    shapes: NDArray[np.int64],
    target_mm: Sequence[float],
    order: Sequence[int],
) -> NDArray[np.int64]:
    """(cases, 3): voxels of the images as they are after resampling, axes in the network's order.

    Args:
        spacings_mm: (cases, 3), axes as the reader gives them.
        shapes: (cases, 3), in voxels.
        target_mm: spacing of the network; of two axes for a 2D network, which keeps the slices as they are.
        order: the plans' ``transpose_forward``.
    """
    sizes = []
    for spacing, shape in zip(spacings_mm[:, order], shapes[:, order], strict=True):
        wanted = [*spacing[: 3 - len(target_mm)], *target_mm]
        sizes.append(compute_new_shape(shape, spacing, wanted))
    return np.array(sizes, dtype=np.int64)


def _in_turn(values: Sequence[Any], channels: int) -> list[Any]:
    return [values[channel % len(values)] for channel in range(channels)]


def _intensities(plans: Mapping[str, Any], schemes: Sequence[str]) -> dict[str, Any]:
    """For each channel the model's, from which CTNormalization takes mean, deviation and percentiles."""
    there = plans[INTENSITIES] or {"0": {}}  # nnU-Net looks each channel up, whatever its scheme
    if not any(there.values()) and "CTNormalization" in schemes:
        raise PlanningError(
            f"The model's plans lack {INTENSITIES}, which its CTNormalization needs. Take the plans.json "
            "that came with the model."
        )
    return {str(i): there[str(i % len(there))] for i in range(len(schemes))}


def _words(values: Sequence[int]) -> str:
    return " ".join(map(str, values))
