"""What is said of intensities, normalisation by normalisation, and that ordinary ones are passed over."""

from __future__ import annotations

from typing import Any

import pytest
from small_models import plans_of

from nnunet_slpt.doctor.intensities import intensities
from nnunet_slpt.doctor.looks import Range

CT = Range(-1024.0, -1000.0, 500.0, 2000.0)


@pytest.fixture
def told(examined: Any, look: Any) -> Any:
    """Level → text, of cases with these ranges of one channel, and this under their labels."""

    def tell(plans: Any, *ranges: Range, foreground: Any = (), **unlike: Any) -> dict[str, str]:
        looks = [look(f"case_{i}", ranges=(one,), foreground=foreground) for i, one in enumerate(ranges)]
        found = list(intensities(examined(looks, plans, **unlike)))
        assert {one.subject for one in found} <= {"intensities"}
        assert all(one.remedy for one in found)
        return {one.level: one.text for one in found}

    return tell


def scheme(name: str) -> dict[str, Any]:
    return plans_of(scheme=name)  # its channel is known between -1 and 3


def test_hounsfield_units_are_passed_over(told: Any, ct: Any, foreground: Any) -> None:
    assert told(ct, CT, CT, foreground=foreground(90, 40)) == {}


def test_a_crop_of_soft_tissue_is_passed_over(told: Any, ct: Any) -> None:
    assert told(ct, Range(-190.0, -120.0, 180.0, 300.0)) == {}


def test_an_offset_is_told_without_labels(told: Any, ct: Any) -> None:
    text = told(ct, CT, Range(0.0, 10.0, 1500.0, 3000.0))["warning"]
    assert "1 of 2 images (case_1)" in text
    assert "as if 1024 were added" in text


def test_pictures_are_told_without_labels(told: Any, ct: Any) -> None:
    assert "as if rescaled to a picture's" in told(ct, Range(0.0, 0.0, 240.0, 255.0))["warning"]


@pytest.mark.parametrize("normalised", [Range(0.0, 0.0, 0.9, 1.0), Range(-3.0, -2.0, 4.0, 9.0)])
def test_normalised_images_are_told_without_labels(told: Any, ct: Any, normalised: Range) -> None:
    assert "as if already normalised" in told(ct, normalised)["warning"]


def test_a_model_of_other_units_expects_none(told: Any, ct: Any) -> None:
    ct["foreground_intensity_properties_per_channel"]["0"] |= {"min": 0.0, "percentile_00_5": 10.0}
    assert told(ct, Range(0.0, 0.0, 240.0, 255.0)) == {}


def test_labels_outside_the_models_window_are_an_error(told: Any, ct: Any, foreground: Any) -> None:
    text = told(ct, CT, foreground=foreground(1100, 40))["error"]
    assert "median is 1099, 25.0 of the model's standard deviations from its mean 100" in text
    assert "100% of them lie outside -17 to 201" in text


def test_labels_that_are_partly_outside_are_a_warning(told: Any, ct: Any, foreground: Any) -> None:
    assert "of them lie outside" in told(ct, CT, foreground=foreground(0, 40))["warning"]


def test_plans_without_statistics_are_left_to_others(told: Any, ct: Any, foreground: Any) -> None:
    plans = ct | {"foreground_intensity_properties_per_channel": {}}
    assert told(plans, CT, foreground=foreground(9000, 1)) == {}


def test_scale_does_not_matter_to_zscore(told: Any, foreground: Any) -> None:
    plans = scheme("ZScoreNormalization")
    assert told(plans, Range(0.0, 1.0, 1e6, 1e7), foreground=foreground(1e6, 1)) == {}


def test_a_channel_that_shows_nothing(examined: Any, look: Any) -> None:
    blank = Range(0.0, 0.0, 0.0, 0.0)
    looks = [look("seen", ranges=(CT, CT)), look("blank", ranges=(CT, blank))]
    found = list(intensities(examined(looks, plans_of(channels=2), channels=("T1", "T2"))))
    assert [(one.level, one.text) for one in found] == [
        ("warning", "channel 1 (T2): in 1 of 2 images (blank) all voxels are the same.")
    ]


@pytest.mark.parametrize(
    ("here", "fits"),
    [
        (Range(-2.0, -1.0, 3.0, 9.0), True),
        (Range(-9.0, -3.0, 8.0, 9.0), True),
        (Range(0.0, 0.0, 255.0, 255.0), False),  # as wide as 64 of the model's
        (Range(0.0, 0.0, 0.1, 0.2), False),
        (Range(5.0, 5.0, 9.0, 9.0), False),  # as wide, but beside
    ],
)
def test_without_normalisation_the_scale_matters(told: Any, here: Range, fits: bool) -> None:
    found = told(scheme("NoNormalization"), here)
    assert found == {} if fits else "of the median image" in found["warning"]


def test_labels_decide_on_the_scale_where_there_are_some(told: Any, foreground: Any) -> None:
    plans, wide = scheme("NoNormalization"), Range(-999.0, -500.0, 500.0, 999.0)
    assert told(plans, wide, foreground=foreground(1, 1)) == {}
    assert "under the labels" in told(plans, wide, foreground=foreground(50, 1))["warning"]


@pytest.mark.parametrize(("brightest", "squeezed"), [(300.0, False), (3000.0, True)])
def test_one_bright_voxel_squeezes_the_rest(told: Any, brightest: float, squeezed: bool) -> None:
    found = told(scheme("RescaleTo01Normalization"), Range(0.0, 0.0, 100.0, brightest))
    assert bool(found) == squeezed
    assert not squeezed or "less than 5% of the range" in found["warning"]


@pytest.mark.parametrize(
    ("here", "level"),
    [
        (Range(0.0, 0.0, 250.0, 255.0), None),
        (Range(0.0, 0.0, 250.0, 256.0), "error"),
        (Range(-1.0, 0.0, 250.0, 255.0), "error"),
        (Range(0.0, 0.0, 0.9, 1.0), "warning"),
    ],
)
def test_pictures_have_eight_bits(told: Any, here: Range, level: str | None) -> None:
    assert list(told(scheme("RGBTo01Normalization"), here)) == ([level] if level else [])
