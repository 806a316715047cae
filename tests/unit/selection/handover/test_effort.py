"""Voxels changed and Dice, on labels small enough to count by hand."""

import numpy as np

from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.selection.handover.effort import effort_of

PLAIN = LabelValues.of({"labels": {"background": 0, "organ": 1, "lesion": 2, "bone": 3, "ignore": 4}})
REGIONS = LabelValues.of(
    {"labels": {"background": 0, "whole": [1, 2], "core": [2]}, "regions_class_order": [1, 2]}
)


def test_classes():
    effort = effort_of(np.array([1, 1, 1, 2, 0, 2]), np.array([1, 1, 0, 2, 1, 4]), PLAIN)
    assert (effort.changed_voxels, effort.foreground_voxels) == (2, 4)
    assert effort.dice == {"organ": 4 / 6, "lesion": 1.0, "bone": None}


def test_regions_overlap():
    effort = effort_of(np.array([1, 2, 0, 0]), np.array([2, 2, 1, 0]), REGIONS)
    assert effort.dice == {"whole": 4 / 5, "core": 2 / 3}


def test_nothing_changed():
    label = np.array([0, 1, 2])
    assert effort_of(label, label, PLAIN).changed_voxels == 0
