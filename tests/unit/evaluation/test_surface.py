"""The normalised surface distance: known shapes, flat and solid, thick slices, nothing at all, no MONAI."""

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.surface import check_packages, surface_agreement

CUBIC = (1.0, 1.0, 1.0)


def cube(shift: int = 0, side: int = 20) -> NDArray[np.bool_]:
    volume = np.zeros((40, 40, 40), bool)
    volume[10 + shift : 10 + side + shift, 10:30, 10:30] = True
    return volume


def sphere() -> NDArray[np.bool_]:
    return np.asarray(sum((axis - 15) ** 2 for axis in np.ogrid[:30, :30, :30]) <= 81)


def test_same_surfaces_agree_even_at_no_tolerance() -> None:
    assert surface_agreement(sphere(), sphere(), CUBIC, 0) == 1


def test_sphere_shifted_by_a_voxel_agrees_from_one_voxel_on() -> None:
    shifted = np.roll(sphere(), 1, axis=0)
    assert surface_agreement(sphere(), shifted, CUBIC, 1) == 1
    below = surface_agreement(sphere(), shifted, CUBIC, 0.9)
    assert below is not None
    assert 0.5 < below < 0.9  # it still agrees where the shift runs along the surface


def test_tolerance_is_in_mm() -> None:
    shifted = np.roll(sphere(), 1, axis=0)
    thick = (3.0, 1.0, 1.0)
    assert surface_agreement(sphere(), shifted, thick, 3) == 1
    assert surface_agreement(sphere(), shifted, thick, 2.9) != 1
    assert surface_agreement(sphere(), np.roll(sphere(), 1, axis=1), thick, 1) == 1


def test_surface_is_weighed_by_area_not_by_voxels() -> None:
    # One face of a box lies off by far. With slices of 5 mm it is a smaller share of the whole surface.
    for thickness in (1.0, 5.0):
        spacing = (thickness, 1.0, 1.0)
        face, sides = 20 * 20, 4 * 20 * thickness  # mm², and mm² for each slice
        same = 2 * (face + sides * 20)
        expected = same / (same + face + (face + sides * 5))
        agreement = surface_agreement(cube(), cube(side=25), spacing, 0.4)
        assert agreement == pytest.approx(expected, abs=0.02)


def test_outline_of_a_flat_image() -> None:
    square = cube()[20]
    # The two sides along the shift agree, the two across do not.
    assert surface_agreement(square, np.roll(square, 3, axis=0), (1, 1), 0.5) == pytest.approx(0.43, abs=0.05)
    assert surface_agreement(square, np.roll(square, 3, axis=0), (0.1, 1), 0.31) == 1


def test_image_filled_to_its_border_has_a_surface() -> None:
    full = np.ones((4, 4, 4), bool)
    assert surface_agreement(full, full, CUBIC, 0) == 1


def test_nothing_to_measure() -> None:
    empty = np.zeros_like(cube())
    assert surface_agreement(empty, empty, CUBIC, 2) is None
    assert surface_agreement(cube(), empty, CUBIC, 2) == 0
    assert surface_agreement(empty, cube(), CUBIC, 2) == 0


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_packages()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "monai" else object())
    with pytest.raises(EvaluationError, match=r"without monai\. .*pip install '\.\[simulate\]'"):
        check_packages()
    with pytest.raises(EvaluationError, match="monai"):
        surface_agreement(cube(), cube(), CUBIC, 2)
