"""Lesions: found, missed and imagined ones, fragments, contact at corners, flat images, nothing at all."""

from unittest import mock

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from nnunet_slpt.evaluation import lesions
from nnunet_slpt.evaluation.lesions import LesionScores, lesion_scores


def blobs(*slices: slice) -> NDArray[np.bool_]:
    """Bars of 4 x 4 voxels on one axis, each as long as its slice."""
    volume = np.zeros((60, 8, 8), bool)
    for one in slices:
        volume[one, 2:6, 2:6] = True
    return volume


def test_found_missed_and_imagined() -> None:
    truth = blobs(slice(0, 10), slice(20, 30), slice(40, 42))
    prediction = blobs(slice(5, 15), slice(20, 30), slice(50, 55))
    # Dice 0.5 and 1; one of three is missed, one of three imagined: four lesions in all.
    assert lesion_scores(truth, prediction) == LesionScores((0.5 + 1) / 4, pytest.approx(2 / 3), 2 / 3)


def test_a_touch_is_not_a_find() -> None:
    truth = blobs(slice(0, 10))
    assert lesion_scores(truth, blobs(slice(8, 18))).recall == 1  # Dice 0.2
    assert lesion_scores(truth, blobs(slice(9, 19))) == LesionScores(0, 0, 0)


def test_fragments_of_one_lesion_are_one_find() -> None:
    # Dice 2/3 and 0.5 with the same lesion: the better one counts, the other is a false alarm.
    scores = lesion_scores(blobs(slice(0, 16)), blobs(slice(0, 8), slice(10, 15)))
    assert scores == LesionScores(pytest.approx(2 * 8 / 24 / 2), 0.5, 1)


def test_matching_is_best_in_sum() -> None:
    truth = blobs(slice(0, 10), slice(11, 21))
    prediction = blobs(slice(4, 17), slice(18, 22))
    # The first prediction overlaps both lesions, the second only the second one.
    assert lesion_scores(truth, prediction).recall == 1


def test_specks_that_match_nothing_take_no_room() -> None:
    truth, specks = np.zeros((2, 60, 60, 60), bool)
    truth[::20, ::20, ::20] = True
    specks[1::2, ::2, ::2] = True
    with mock.patch.object(lesions, "linear_sum_assignment", wraps=linear_sum_assignment) as assignment:
        assert lesion_scores(truth, specks) == LesionScores(0, 0, 0)
        assert lesion_scores(truth, specks | truth).recall == 1
    assert [call.args[0].shape for call in assignment.call_args_list] == [(0, 0), (27, 27)]


def test_corners_are_contact() -> None:
    for dimensions in (2, 3):
        image = np.zeros((6,) * dimensions, bool)
        image[(1,) * dimensions] = image[(2,) * dimensions] = True
        half = image.copy()
        half[(2,) * dimensions] = False
        # One lesion of two voxels, one of them found.
        assert lesion_scores(image, half) == LesionScores(pytest.approx(2 / 3), 1, 1)


def test_a_flat_image() -> None:
    # connected-components-3d 4.1 counts a pixel of the background to the lower lesion of this one.
    rows = ["###..", "##...", "#....", ".....", ".....", "...##", "#####", "#####"]
    truth = np.array([[pixel == "#" for pixel in row] for row in rows])
    lower = truth.copy()
    lower[:4] = False
    assert lesion_scores(truth, lower) == LesionScores(0.5, 1, 0.5)


def test_nothing_there_or_nothing_predicted() -> None:
    some, empty = blobs(slice(0, 10)), blobs()
    assert lesion_scores(empty, empty) == LesionScores(None, None, None)
    assert lesion_scores(some, empty) == LesionScores(0, None, 0)
    assert lesion_scores(empty, some) == LesionScores(0, 0, None)
