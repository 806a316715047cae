"""A case without a label, preprocessed so that nnU-Net's loader takes it like any other.

Owns what stands in for the label. Must not write anything itself: that is left to nnU-Net.
"""

__all__ = ["without_label"]

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnunet_slpt.datasets import NOT_ANNOTATED, UNLABELLED


def without_label(preprocessor_class: type) -> type:
    """A preprocessor of nnU-Net's that needs no label, and says so in the properties of a case.

    Where nnU-Net has -1, outside of the image's content, it stays: there the image is masked.

    Args:
        preprocessor_class: which the plans name.
    """

    class WithoutLabel(preprocessor_class):
        def run_case(
            self, image_files: list[str], seg_file: Any, plans: Any, configuration: Any, dataset_json: Any
        ) -> Any:
            data, seg, properties = super().run_case(image_files, None, plans, configuration, dataset_json)
            seg = np.where(seg < 0, seg, np.int16(NOT_ANNOTATED))
            asked = _asked_for(plans.get_label_manager(dataset_json))
            nothing = np.full((1, 1, 1, 1), NOT_ANNOTATED)
            properties["class_locations"] = self._sample_foreground_locations(nothing, asked)
            properties[UNLABELLED] = True
            return data, seg, properties

    return WithoutLabel


def _asked_for(labels: Any) -> Sequence[Any]:
    """Which labels nnU-Net notes the places of (DefaultPreprocessor.run_case_npy)."""
    classes = labels.foreground_regions if labels.has_regions else labels.foreground_labels
    return [*classes, [-1, *labels.all_labels]] if labels.has_ignore_label else classes
