"""How much foreground labels have: for the one strategy that looks at labels, a baseline for research.

Must not be used by anything else: a selection must not know what it is about to pay for.
"""

__all__ = ["count_foreground"]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.datasets.image_checks import find_reader
from nnunet_slpt.datasets.label_checks import LabelValues, read_label
from nnunet_slpt.errors import DatasetError, SelectionError, some


def count_foreground(cases: Sequence[Case], dataset_json: Mapping[str, Any]) -> NDArray[np.float32]:
    """Voxels of foreground in each case's label, neither background nor ignored: (N,).

    Args:
        cases: all of them labelled, whether or not labels are hidden from the other strategies.
        dataset_json: of the raw dataset.

    Raises:
        SLPTError: a label is missing or damaged, or nnU-Net does not understand the labels in
            ``dataset.json``.
    """
    missing = [case.name for case in cases if not case.label.is_file()]
    if missing:
        raise SelectionError(
            f"This strategy looks at labels, and {len(missing)} candidates have none: "
            f"{some(missing)}. It is a baseline for data that is labelled already; choose another."
        )
    reader, ignore = find_reader(cases, dataset_json), LabelValues.of(dataset_json).ignore
    nothing = [0] if ignore is None else [0, ignore]
    try:
        labels = (read_label(case.label, reader.read_seg) for case in cases)
        counts = [np.isin(label.voxels, nothing, invert=True).sum() for label in labels]
    except DatasetError as error:
        raise DatasetError(
            f"This strategy looks at labels, and one cannot be used: {error}. Save or copy it again, or "
            "choose another strategy."
        ) from error
    return np.array(counts, np.float32)
