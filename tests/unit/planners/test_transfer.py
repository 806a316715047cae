"""What of the plans is the model's and what the dataset's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import plans_of

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.planners.transfer import Wishes, batch_size_for, transfer

MODELS = (
    "spacing",
    "architecture",
    "preprocessor_name",
    "resampling_fn_data",
    "resampling_fn_seg_kwargs",
    "patch_size",
    "normalization_schemes",
    "batch_dice",
)


def transferred(
    plans: dict[str, Any] | None = None, configuration: str = "3d_fullres", **other: Any
) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "dataset": "Dataset200_Target",
        "plans_name": "New",
        "reader": "NibabelIO",
        "channels": 1,
        "labelled": 10,
        "spacings_mm": np.array([[2.0, 1, 1], [2, 1, 1], [4, 1, 1]]),
        "shapes": np.array([[10, 40, 50], [20, 40, 50], [30, 40, 50]]),
        "wishes": Wishes(),
        "block": PromptConfig(prompts=5),
    }
    return transfer(plans or plans_of(), configuration, **{**usual, **other})


def settings_of(plans: dict[str, Any]) -> dict[str, Any]:
    (settings,) = plans["configurations"].values()
    return settings


def test_network_and_preprocessing_are_the_models() -> None:
    before, after = settings_of(plans_of()), settings_of(transferred())
    assert {key: after[key] for key in MODELS} == {key: before[key] for key in MODELS}


def test_names_reader_and_settings_are_the_datasets() -> None:
    plans = transferred()
    assert (plans["dataset_name"], plans["plans_name"]) == ("Dataset200_Target", "New")
    assert plans["image_reader_writer"] == "NibabelIO"
    assert settings_of(plans)["data_identifier"] == "New_3d_fullres"
    assert PromptConfig.from_plans(plans).prompts == 5


def test_median_sizes_are_the_datasets_after_resampling() -> None:
    plans = transferred()
    assert plans["original_median_spacing_after_transp"] == [2, 1, 1]
    assert plans["original_median_shape_after_transp"] == [20, 40, 50]
    # To 1 mm: 20, 40 and 120 slices.
    assert settings_of(plans)["median_image_size_in_voxels"] == [40, 40, 50]


def test_axes_are_put_in_the_models_order() -> None:
    plans = plans_of() | {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    moved = transferred(plans)
    assert moved["original_median_spacing_after_transp"] == [1, 2, 1]
    assert settings_of(moved)["median_image_size_in_voxels"] == [50, 40, 40]


def test_a_2d_configuration_counts_the_slices_but_lists_two_axes() -> None:
    settings = settings_of(transferred(plans_of(axes=2), "2d"))
    assert settings["median_image_size_in_voxels"] == [40, 50]
    # 5 % of 10 cases of 20 x 40 x 50 voxels are 20000, more than 4 patches of 16 x 16.
    assert settings["batch_size"] == 4


@pytest.mark.parametrize(
    ("patch", "voxels", "expected"),
    [
        ([16, 16, 16], 1e9, 4),  # the model's
        ([16, 16, 16], 3 * 4096 / 0.05, 3),  # the most that 5 % of the dataset are
        ([16, 16, 16], 0, 2),  # never less
        ([8, 16, 16], 1e9, 8),  # half the patch, twice the batch
        ([32, 16, 16], 1e9, 2),
    ],
)
def test_batch_size(patch: list[int], voxels: float, expected: int) -> None:
    assert batch_size_for(settings_of(plans_of()), patch, voxels) == expected


def test_wishes_come_first() -> None:
    settings = settings_of(transferred(wishes=Wishes((32, 16, 24), 7)))
    assert (settings["patch_size"], settings["batch_size"]) == ([32, 16, 24], 7)


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ((16, 16), "has 2 numbers, expected 3"),
        ((18, 16, 15), r"multiples of 4 4 4.*16 16 16"),
        ((0, 4, 4), "4 4 4"),
    ],
)
def test_a_patch_that_does_not_fit(patch: tuple[int, ...], words: str) -> None:
    with pytest.raises(PlanningError, match=words):
        transferred(wishes=Wishes(patch))


def test_more_channels_are_normalised_as_the_models_in_turn() -> None:
    plans = plans_of(scheme="CTNormalization", channels=2)
    after = transferred(plans, channels=3)
    assert settings_of(after)["normalization_schemes"] == ["CTNormalization"] * 3
    means = [one["mean"] for one in after["foreground_intensity_properties_per_channel"].values()]
    assert means == [0, 1, 0]


def test_ct_normalisation_without_the_models_intensities_is_refused() -> None:
    plans = plans_of(scheme="CTNormalization") | {"foreground_intensity_properties_per_channel": {}}
    with pytest.raises(PlanningError, match="lack foreground_intensity_properties_per_channel"):
        transferred(plans)


def test_each_channel_has_an_entry_where_nobody_knows_the_intensities() -> None:
    plans = plans_of() | {"foreground_intensity_properties_per_channel": {}}
    after = transferred(plans, channels=2)
    assert after["foreground_intensity_properties_per_channel"] == {"0": {}, "1": {}}
    ct = plans_of(scheme="CTNormalization") | {"foreground_intensity_properties_per_channel": {"0": {}}}
    with pytest.raises(PlanningError, match="which its CTNormalization needs"):
        transferred(ct)


def test_the_models_plans_stay_as_they_are() -> None:
    plans = plans_of()
    transferred(plans, channels=2, wishes=Wishes((32, 32, 32)))
    assert plans == plans_of()
