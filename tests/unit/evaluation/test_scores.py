"""Scores of a case: classes and regions, the ignore label, what is empty, nnU-Net's Dice, what is refused."""

from typing import Any

import numpy as np
import pytest
from nnunetv2.evaluation.evaluate_predictions import compute_tp_fp_fn_tn, region_or_label_to_mask

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation import METRICS, case_scores
from nnunet_slpt.evaluation.surface import surface_agreement

SPACING = (3.0, 1.0, 1.0)
CLASSES = {"organ": (1, 2), "lesion": (2,)}


def maps(seed: int = 0, shape: tuple[int, ...] = (6, 12, 12)) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.integers(0, 4, shape), random.integers(0, 3, shape)


def test_every_class_has_every_metric() -> None:
    scores = case_scores(*maps(), SPACING, CLASSES)
    assert list(scores) == list(CLASSES)
    assert all(tuple(of_class) == METRICS for of_class in scores.values())


def test_dice_is_that_of_nnunet() -> None:
    truth, prediction = maps()
    scores = case_scores(truth, prediction, SPACING, CLASSES, ignore=3)
    for name, numbers in CLASSES.items():
        masks = (region_or_label_to_mask(one, numbers) for one in (truth, prediction))
        tp, fp, fn, _ = compute_tp_fp_fn_tn(*masks, ignore_mask=truth == 3)
        assert scores[name]["dice"] == pytest.approx(2 * tp / (2 * tp + fp + fn))


def test_identical_maps_are_perfect() -> None:
    truth, _ = maps()
    scores = case_scores(truth, truth, SPACING, CLASSES, tolerance_mm=0)
    assert {value for of_class in scores.values() for value in of_class.values()} == {1.0}


def test_what_is_predicted_where_the_truth_is_ignored_counts_for_nothing() -> None:
    truth, prediction = maps()
    other = np.where(truth == 3, 1, prediction)
    assert (other != prediction).any()
    one, two = (case_scores(truth, map_, SPACING, CLASSES, ignore=3) for map_ in (prediction, other))
    assert one == two
    assert one != case_scores(truth, other, SPACING, CLASSES)


def test_empty_classes() -> None:
    empty = np.zeros((4, 8, 8), int)
    some = empty.copy()
    some[1:3, 2:6, 2:6] = 1
    classes = {"a": (1,)}
    nothing = dict.fromkeys(METRICS)
    assert case_scores(empty, empty, SPACING, classes)["a"] == nothing
    wrong = dict.fromkeys(METRICS, 0.0)
    assert case_scores(some, empty, SPACING, classes)["a"] == {**wrong, "lesion_precision": None}
    assert case_scores(empty, some, SPACING, classes)["a"] == {**wrong, "lesion_recall": None}


def test_one_slice_is_measured_in_its_plane() -> None:
    truth = np.zeros((1, 30, 30), int)
    truth[:, 10:20, 10:20] = 1
    shifted = np.roll(truth, 1, axis=1)
    thin, thick = (
        case_scores(truth, shifted, (size, 1.0, 1.0), {"a": (1,)}, tolerance_mm=0.5) for size in (0.01, 999.0)
    )
    assert thin == thick
    assert thin["a"]["nsd"] == pytest.approx(0.5, abs=0.02)  # a slab would agree on its large faces


def test_flat_object_in_a_volume_is_measured_as_a_solid() -> None:
    truth = np.zeros((5, 30, 30), int)
    truth[2, 10:20, 10:20] = 1
    shifted = np.roll(truth, 1, axis=1)
    scores = case_scores(truth, shifted, (9.0, 1.0, 1.0), {"a": (1,)}, tolerance_mm=0.5)
    expected = surface_agreement(truth == 1, shifted == 1, (9.0, 1.0, 1.0), 0.5)
    assert scores["a"]["nsd"] == expected
    assert expected != surface_agreement(truth[2] == 1, shifted[2] == 1, (1.0, 1.0), 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction": np.zeros((6, 12, 13), int)}, "on the same grid"),
        ({"truth": np.zeros((12, 12), int), "prediction": np.zeros((12, 12), int)}, r"\(Z, Y, X\)"),
        ({"prediction": np.zeros((6, 12, 12))}, "The prediction holds float64, expected integers"),
        ({"spacing_mm": (1.0, 1.0)}, "three positive numbers"),
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "three positive numbers"),
        ({"tolerance_mm": -1.0}, "expected 0 or more"),
    ],
)
def test_what_cannot_be_scored_is_refused(change: dict[str, Any], message: str) -> None:
    truth, prediction = maps()
    arguments = {"truth": truth, "prediction": prediction, "spacing_mm": SPACING, "classes": CLASSES} | change
    with pytest.raises(EvaluationError, match=message):
        case_scores(**arguments)
