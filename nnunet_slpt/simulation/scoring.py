"""Predictions against the truth that the referee keeps.

Reads with nnU-Net's reader; what the numbers mean is ``evaluation``'s. Must not import torch.
"""

__all__ = ["Scores", "score_cases"]

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_slpt.datasets.image_checks import find_reader
from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import EvaluationError, SimulationError
from nnunet_slpt.evaluation import case_scores
from nnunet_slpt.simulation.source import Source

Scores = dict[str, dict[str, dict[str, float | None]]]  # case → class → metric


def score_cases(
    source: Source, names: Sequence[str], predictions: Path, tolerance_mm: float, processes: int
) -> Scores:
    """Measure predictions of cases.

    Args:
        source: has their labels.
        names: of the cases.
        predictions: folder of nnU-Net's predictions.
        tolerance_mm: of the surface distance.
        processes: to measure with, at most; 0 or 1 measures in this one.

    Raises:
        SimulationError: a prediction is missing, or does not lie on its label.
    """
    about = source.dataset_json
    cases = [source.cases[name] for name in names]
    values = LabelValues.of(about)
    pairs = [(case.label, predictions / f"{case.name}{about['file_ending']}") for case in cases]
    missing = [str(predicted) for _, predicted in pairs if not predicted.is_file()]
    if missing:
        raise SimulationError(
            f"{len(missing)} predictions are missing, the first is {missing[0]}. Remove the folder around it "
            "and start again."
        )
    score = partial(
        _score,
        reader=find_reader(cases, about),
        classes=dict(values.classes),
        ignore=values.ignore,
        tolerance_mm=tolerance_mm,
    )
    with Workers(processes) as workers:
        return dict(zip(names, workers.answers(score, pairs, "Scores"), strict=True))


def _score(files: tuple[Path, Path], reader: Any, **how: Any) -> dict[str, dict[str, float | None]]:
    label, predicted = files
    (truth, about), (prediction, _) = (reader.read_seg(str(file)) for file in (label, predicted))
    truth, prediction = (np.rint(voxels[0]).astype(np.int64) for voxels in (truth, prediction))
    try:
        found = case_scores(truth, prediction, about["spacing"], **how)
    except EvaluationError as error:
        raise SimulationError(f"{predicted} cannot be compared with {label}: {error}") from error
    return {name: {metric: _rounded(value) for metric, value in of.items()} for name, of in found.items()}


def _rounded(value: float | None) -> float | None:
    """To a thousandth of a point: a table of cells has many numbers."""
    return None if value is None else round(value, 5)
