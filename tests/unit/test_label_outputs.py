"""Which pretrained head a new one starts from."""

import numpy as np
import pytest
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from nnunet_slpt.label_outputs import head_rows


@pytest.fixture
def labels():
    return {"background": 0, "liver": 1, "tumour": 2}


@pytest.mark.parametrize(
    ("target", "rows"),
    [
        ({"background": 0, "tumour": 1, "liver": 2}, {0: 0, 1: 2, 2: 1}),
        ({"background": 0, "Liver": 1, "spleen": 2}, {0: 0}),
        ({"background": 0, "spleen": 1, "liver": 2, "ignore": 3}, {0: 0, 2: 1}),
        ({"background": 0, "tumour": 7}, {0: 0, 1: 2}),
        ({"background": 0, "liver": [1, 2], "tumour": 2}, {}),
    ],
)
def test_heads_meet_by_name(labels, target, rows):
    assert head_rows(labels, target) == rows


def test_regions_meet_by_name_in_the_order_of_dataset_json():
    there = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}
    here = {"background": 0, "core": [1, 2], "oedema": 3, "whole": [1, 2, 3], "ignore": 4}
    assert head_rows(there, here) == {0: 1, 2: 0}


def test_an_unknown_pretraining_shares_nothing(labels):
    assert head_rows({}, labels) == {}


@pytest.mark.parametrize("name", ["b", "a"])
@pytest.mark.parametrize(
    "labels", [{"background": 0, "b": 5, "a": 2, "ignore": 6}, {"background": 0, "a": [2], "b": 1}]
)
def test_channels_of_labels_are_those_of_nnunet(labels, name):
    expected = LabelManager(labels, None).all_labels.index(np.max(labels[name]))
    assert head_rows(labels, {"background": 0, name: 1}) == {0: 0, 1: expected}


@pytest.mark.parametrize("name", ["whole", "core"])
@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
        {"background": 0, "nothing": [0, 0], "core": 2, "whole": [1, 2]},
    ],
)
def test_channels_of_regions_are_those_of_nnunet(labels, name):
    value = tuple(labels[name]) if isinstance(labels[name], list) else labels[name]
    expected = LabelManager(labels, [1, 2]).foreground_regions.index(value)
    assert head_rows(labels, {"background": 0, name: [1, 2]}) == {0: expected}
