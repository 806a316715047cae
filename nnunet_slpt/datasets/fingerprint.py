"""The fingerprint of a dataset of which some or all cases have no label yet.

Where all have one it is what ``nnUNetv2_extract_fingerprint`` writes. nnU-Net itself cannot: its
``DatasetFingerprintExtractor.run`` opens a label of each image, and writes as it goes. Must not import the
networks. Writes nothing.
"""

__all__ = ["extract_fingerprint", "knows_intensities"]

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero
from numpy.typing import NDArray

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.datasets.image_checks import ImageReader, check_one
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.host_conventions import INTENSITIES

VOXELS_SAMPLED = 10e7  # of all labelled cases together, as nnU-Net; with replacement, so of few cases too
# Shape after cropping, spacing, foreground voxels of each channel, size after cropping as a share.
Look = tuple[list[int], list[float], list[NDArray[np.float64]], float]


def extract_fingerprint(
    cases: Sequence[Case], reader: ImageReader, channels: int, workers: Workers
) -> dict[str, Any]:
    """Read every image, and every label that there is.

    Args:
        cases: at least one.
        reader: of nnU-Net's.
        channels: of each case.
        workers: that read them.

    Returns:
        What nnU-Net's ``dataset_fingerprint.json`` holds, spacing in mm. Without any labelled foreground the
        intensities are an empty dictionary.

    Raises:
        DatasetError: an image or a label cannot be read, or the two do not fit together.
    """
    labelled = sum(case.labelled for case in cases)
    look = partial(_look, reader=reader, channels=channels, samples=int(VOXELS_SAMPLED // max(labelled, 1)))
    looks = workers.answers(look, cases, "Fingerprint")
    return {
        INTENSITIES: _statistics([voxels for _, _, voxels, _ in looks if voxels]),
        "median_relative_size_after_cropping": float(np.median([share for _, _, _, share in looks])),
        "shapes_after_crop": [shape for shape, _, _, _ in looks],
        "spacings": [spacing for _, spacing, _, _ in looks],
    }


def knows_intensities(fingerprint: Mapping[str, Any]) -> bool:
    """Whether a labelled case was among those that it was made of.

    Args:
        fingerprint: ours or nnU-Net's.
    """
    return bool(fingerprint.get(INTENSITIES))


def _look(case: Case, reader: ImageReader, channels: int, samples: int) -> Look:
    try:
        if not case.labelled:
            images, properties = reader.read_images([str(file) for file in case.images])
            cropped = crop_to_nonzero(images)[0]
            share = cropped[0].size / images[0].size
            return list(cropped.shape[1:]), _floats(properties["spacing"]), [], share
        shape, spacing, voxels, _, share = DatasetFingerprintExtractor.analyze_case(
            [str(file) for file in case.images], str(case.label), type(reader), samples
        )
        return list(shape), _floats(spacing), [np.asarray(one) for one in voxels], float(share)
    except Exception as error:
        # Whatever a reader raises: tell which case it is, and in plain words if we can.
        raise DatasetError(_problem(case, reader, channels, error)) from error


def _problem(case: Case, reader: ImageReader, channels: int, error: Exception) -> str:
    in_words = check_one(case, reader, channels)
    files = " and ".join(map(str, (*case.images, case.label) if case.labelled else case.images))
    what = in_words or f"{files} cannot be read together ({type(error).__name__}: {error})"
    return f"{case.name}: {what}. Expected a label with the size of its images. Repair or move them."


def _floats(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values]


def _statistics(voxels: Sequence[Sequence[NDArray[np.float64]]]) -> dict[str, dict[str, float]]:
    """As nnU-Net's ``run``, of which this part cannot be called alone."""
    channels = [np.concatenate(one) for one in zip(*voxels, strict=True)]
    return {str(i): _of_channel(one) for i, one in enumerate(channels) if len(one)}


def _of_channel(voxels: NDArray[np.float64]) -> dict[str, float]:
    low, median, high = np.percentile(voxels, (0.5, 50.0, 99.5))
    numbers = {
        "max": voxels.max(),
        "mean": voxels.mean(),
        "median": median,
        "min": voxels.min(),
        "percentile_00_5": low,
        "percentile_99_5": high,
        "std": voxels.std(),
    }
    return {name: float(number) for name, number in numbers.items()}
