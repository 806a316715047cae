"""Targets of single classes: what belongs to them, and where nobody knows."""

import torch

from nnunet_slpt.datasets import NOT_ANNOTATED
from nnunet_slpt.trainers.punet.classes import Classes

LABELS = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}


def test_classes_by_name_and_what_does_not_count():
    classes = Classes.of(LABELS)
    assert classes.names == ("organ", "lesion")
    target = classes.target(torch.tensor([[[0, 1, 2, 3]]]), ["lesion", "organ"])
    assert target.tolist() == [
        [[False, False, True, False], [False, True, False, False], [False] * 3 + [True]]
    ]


def test_regions_overlap():
    classes = Classes.of({"background": 0, "all": [1, 2], "core": [2]})
    target = classes.target(torch.tensor([[[0, 1, 2]]]), classes.names)
    assert target.tolist() == [[[False, True, True], [False, False, True], [False] * 3]]


def test_of_a_case_without_a_label_nothing_counts_nor_what_it_was_padded_with():
    maps = torch.tensor([[[[NOT_ANNOTATED, 0]]], [[[1, 0]]]], dtype=torch.int16)
    target = Classes.of(LABELS).target(maps, ["organ"])
    assert target[:, 1].tolist() == [[[True, True]], [[False, False]]]
    assert target[:, 0].tolist() == [[[False, False]], [[True, False]]]


def test_no_class_at_all():
    classes = Classes.of({"background": 0})
    assert classes.names == ()
    assert classes.target(torch.zeros(2, 1, 3), []).shape == (2, 1, 3)
