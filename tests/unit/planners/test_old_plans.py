"""Plans of nnU-Net 2.0 to 2.8 come out alike."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from small_models import as_before_2_3, plans_of

from nnunet_slpt.errors import ArchitectureError, PlanningError
from nnunet_slpt.planners.old_plans import are_old, in_todays_format

NETWORKS = ("PlainConvUNet", "ResidualEncoderUNet")


def network_of(plans: dict[str, Any]) -> Any:
    return plans["configurations"]["3d_fullres"]["architecture"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("inherited", [False, True])
def test_old_plans_describe_the_network_that_todays_do(network: str, inherited: bool) -> None:
    today = plans_of(network=network)
    old = as_before_2_3(today, inherited)
    assert are_old(old)
    assert not are_old(today)
    # nnU-Net's own conversion names ResidualEncoderUNet by a module that is gone.
    assert network_of(in_todays_format(old, "3d_fullres")) == network_of(today)


@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_of_the_old_form_remains(network: str) -> None:
    old = as_before_2_3(plans_of(network=network), inherited=True)
    (settings,) = in_todays_format(old, "3d_fullres")["configurations"].values()
    expected = plans_of(network=network)["configurations"]["3d_fullres"]
    assert settings.keys() == expected.keys()


def test_todays_plans_stay_as_they_are() -> None:
    plans = plans_of()
    before = copy.deepcopy(plans)
    converted = in_todays_format(plans, "3d_fullres")
    assert plans == before
    assert converted["configurations"] == before["configurations"]


def test_other_configurations_and_the_next_stage_are_left_out() -> None:
    plans = plans_of()
    plans["configurations"]["3d_fullres"]["next_stage"] = "3d_cascade_fullres"
    plans["configurations"]["3d_cascade_fullres"] = {
        "inherits_from": "3d_fullres",
        "previous_stage": "3d_fullres",
    }
    assert in_todays_format(plans, "3d_fullres")["configurations"] == plans_of()["configurations"]


def test_deep_supervision_that_2_3_noted_is_left_out() -> None:
    plans = plans_of()
    network_of(plans)["arch_kwargs"]["deep_supervision"] = True
    assert in_todays_format(plans, "3d_fullres")["configurations"] == plans_of()["configurations"]


def test_intensities_under_their_first_name() -> None:
    plans = plans_of()
    statistics = plans.pop("foreground_intensity_properties_per_channel")
    plans["foreground_intensity_properties_by_modality"] = statistics
    found = in_todays_format(plans, "3d_fullres")["foreground_intensity_properties_per_channel"]
    assert found == statistics


def test_an_unknown_configuration_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PlanningError, match=r"unknown configuration '2d'; known: 3d_fullres"):
        in_todays_format(plans_of(), "2d")


def test_a_network_of_somebodys_own() -> None:
    old = as_before_2_3(plans_of())
    old["configurations"]["3d_fullres"]["UNet_class_name"] = "MyNet"
    with pytest.raises(ArchitectureError, match="MyNet"):
        in_todays_format(old, "3d_fullres")


def test_plans_without_a_network() -> None:
    plans = plans_of()
    del plans["configurations"]["3d_fullres"]["architecture"]
    with pytest.raises(PlanningError, match=r"describe no network.*UNet_class_name"):
        in_todays_format(plans, "3d_fullres")


def test_what_is_missing_is_named() -> None:
    plans = plans_of()
    del plans["configurations"]["3d_fullres"]["spacing"], plans["transpose_forward"]
    with pytest.raises(PlanningError, match=r"lack spacing, transpose_forward"):
        in_todays_format(plans, "3d_fullres")
