"""What is said of how the images lie, and that ordinary ones are passed over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK
from small_models import plans_of

from nnunet_slpt.doctor.images import axes, field_of_view, orientation, unusable_images


def plans_for(spacing: list[float], patch: list[int] | None = None) -> dict[str, Any]:
    plans = plans_of(axes=len(spacing))
    (settings,) = plans["configurations"].values()
    settings |= {"spacing": spacing, "patch_size": patch or settings["patch_size"]}
    return plans


@pytest.mark.parametrize("check", [unusable_images, orientation, axes, field_of_view])
def test_nothing_is_said_of_what_is_alike(examined: Any, look: Any, check: Any) -> None:
    assert list(check(examined([look("a"), look("b")]))) == []


def test_the_first_unusable_images_are_told_whole(examined: Any, look: Any) -> None:
    broken = [look(f"case_{i}", image_problem=f"cut short {i}") for i in range(5)]
    (found,) = unusable_images(examined([look(), *broken]))
    assert found.level == "error"
    assert "5 of 6 cases" in found.text
    assert "case_2: cut short 2\n" in found.text
    assert found.text.endswith("and 2 more: case_3, case_4")


def test_fewer_images_that_point_another_way_are_named(examined: Any, look: Any) -> None:
    looks = [look("a"), look("b", orientation="RAS"), look("c"), look("d", orientation="")]
    (found,) = orientation(examined(looks))
    assert found.level == "warning"
    assert "2 images are LPS" in found.text
    assert "1 RAS (b)" in found.text
    assert "1 unknown (d)" in found.text
    assert "'LPS'" in found.remedy


def test_images_that_nobody_could_read_point_nowhere(examined: Any, look: Any) -> None:
    assert list(orientation(examined([look(), look(orientation="", image_problem="broken")]))) == []


def test_slices_along_another_axis_are_turned_by_what_is_said(examined: Any, look: Any) -> None:
    looks = [look(spacing_mm=(3.0, 1.0, 10.0))]  # of the array, z first
    (found,) = axes(examined(looks, plans_for([10.0, 3.0, 1.0])))
    order = [int(one) for one in found.remedy.partition("[")[2].rstrip("])").split(",")]
    image = SimpleITK.GetImageFromArray(np.zeros((2, 3, 4)))
    image.SetSpacing((10.0, 1.0, 3.0))  # of the file, x first
    assert SimpleITK.PermuteAxes(image, order).GetSpacing() == (1.0, 3.0, 10.0)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (10.0, 1.2, 3.0), (20.0, 20.0, 20.0)])
def test_other_spacings_are_no_matter_of_axes(examined: Any, look: Any, spacing: tuple[float, ...]) -> None:
    wanted = [10.0, 1.0, 3.0] if spacing[0] == 10.0 else [1.0, 1.0, 1.0]
    assert list(axes(examined([look(spacing_mm=spacing)], plans_for(wanted)))) == []


def test_a_2d_model_has_no_axes_to_mistake(examined: Any, look: Any) -> None:
    assert list(axes(examined([look(spacing_mm=(3.0, 3.0, 10.0))], plans_for([3.0, 3.0])))) == []


def test_a_few_small_images_are_a_note(examined: Any, look: Any) -> None:
    (found,) = field_of_view(examined([look("a"), look("b"), look("small", shape=(16, 7, 16))]))
    assert found.level == "note"
    assert "1 of 3 images (small)" in found.text
    assert "56% is padding" in found.text


def test_images_are_measured_at_the_models_spacing(examined: Any, look: Any) -> None:
    # 16 voxels of 1 mm are 7 of 2.3 mm.
    (found,) = field_of_view(examined([look(), look()], plans_for([1.0, 1.0, 2.3], [16, 16, 32])))
    assert found.level == "warning"
    assert "all 2 images" in found.text
    assert "the median image has 16 x 16 x 7" in found.text
    assert found.remedy == "Plan with --patch_size 16 16 16"


def test_a_patch_that_cannot_be_smaller_is_said_to_be(examined: Any, look: Any) -> None:
    (found,) = field_of_view(examined([look(shape=(16, 16, 7))]))
    assert "no smaller patch" in found.remedy


def test_images_of_a_voxel_or_two_are_an_error(examined: Any, look: Any) -> None:
    (found,) = field_of_view(examined([look()], plans_for([4.0, 4.0, 4.0])))
    assert found.level == "error"
    assert "finer spacing" in found.remedy


def test_the_patch_that_was_asked_for_counts(examined: Any, look: Any) -> None:
    (found,) = field_of_view(examined([look()], patch_size=(16, 16, 64)))
    assert "16 x 16 x 64" in found.text


def test_a_2d_network_looks_at_slices(examined: Any, look: Any) -> None:
    assert list(field_of_view(examined([look(shape=(2, 16, 16))], plans_for([1.0, 1.0])))) == []
    assert list(field_of_view(examined([look(shape=(90, 16, 5))], plans_for([1.0, 1.0]))))


def test_flat_images_in_a_3d_network_are_no_matter_of_the_patch(examined: Any, look: Any) -> None:
    assert list(field_of_view(examined([look(shape=(1, 16, 16)), look(shape=(1, 16, 16))]))) == []
