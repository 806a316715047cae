"""A model's labels become the dataset's by name."""

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.handover.label_names import translation

HEART = {"labels": {"background": 0, "RV": 1, "MYO": 2, "LV": 3, "ignore": 4}}
REGIONS = {"labels": {"background": 0, "whole": [1, 2], "core": [2]}, "regions_class_order": [1, 2]}


def test_same_labels_stay():
    assert translation(HEART, HEART) == {0: 0, 1: 1, 2: 2, 3: 3}


def test_names_decide_and_the_unknown_becomes_background():
    model = {"labels": {"background": 0, "LV": 1, "spleen": 2}}
    assert translation(model, HEART) == {0: 0, 1: 3, 2: 0}


def test_nothing_in_common():
    with pytest.raises(SelectionError, match=r"\(spleen\).*\(RV, MYO, LV\)"):
        translation({"labels": {"background": 0, "spleen": 1}}, HEART)


def test_regions_are_taken_over_whole_or_not_at_all():
    assert translation(REGIONS, REGIONS) == {0: 0, 1: 1, 2: 2}
    for other in (HEART, REGIONS | {"regions_class_order": [2, 1]}):
        with pytest.raises(SelectionError, match="regions overlap"):
            translation(REGIONS, other)
