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
from nnunet_slpt.errors import SelectionError


def count_foreground(cases: Sequence[Case], dataset_json: Mapping[str, Any]) -> NDArray[np.float32]:
    """Voxels above background in each case's label: (N,).

    Args:
        cases: all of them labelled, whether or not labels are hidden from the other strategies.
        dataset_json: of the raw dataset.

    Raises:
        SelectionError: a label is missing.
    """
    missing = [case.name for case in cases if not case.label.is_file()]
    if missing:
        raise SelectionError(
            f"This strategy looks at labels, and {len(missing)} candidates have none: "
            f"{', '.join(missing[:5])}. It is a baseline for data that is labelled already; choose another."
        )
    reader: Any = find_reader(cases, dataset_json)
    counts = [np.count_nonzero(reader.read_seg(str(case.label))[0] > 0) for case in cases]
    return np.array(counts, np.float32)
