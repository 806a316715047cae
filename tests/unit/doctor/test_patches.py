"""Patches near to what is wanted are such as the planner takes."""

from __future__ import annotations

from typing import Any

import pytest
from small_models import plans_of

from nnunet_slpt.doctor.patches import patch_around, patch_within
from nnunet_slpt.networks.punet import PUNET
from nnunet_slpt.planners.transfer import patch_size_for

SETTINGS: dict[str, Any] = plans_of()["configurations"]["3d_fullres"]  # shrinks by 4 along each axis


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([30, 33, 90], [32, 36, 64]),  # rounded up, but never beyond the present one
        ([32, 32, 32], [32, 32, 32]),
        ([3, 17, 64], [16, 20, 64]),  # four voxels are left where the network is deepest
    ],
)
def test_the_smallest_around(sizes: list[float], expected: list[int]) -> None:
    found = patch_around(sizes, [64, 64, 64], SETTINGS)
    assert found == expected == patch_size_for(SETTINGS, found)


def test_an_axis_that_the_model_has_shorter_stays() -> None:
    assert patch_around([5, 50, 50], [8, 64, 64], SETTINGS) == [8, 52, 52]


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_a_share_of_the_voxels(share: float) -> None:
    found = patch_within(share, [64, 32, 48], SETTINGS)
    assert found is not None
    assert found == patch_size_for(SETTINGS, found)
    assert 0.5 * share < (found[0] * found[1] * found[2]) / (64 * 32 * 48) <= share


def test_no_patch_is_small_enough() -> None:
    assert patch_within(0.01, [32, 32, 32], SETTINGS) is None


def test_a_punet_keeps_its_windows() -> None:
    """Its deepest grid of 8 voxels is cut into windows of 4; one of 5 or 6 would be into 3."""
    measures = {
        "n_stages": 5,
        "features_per_stage": [16, 32, 64, 96, 96],
        "kernel_sizes": [[3] * 3] * 5,
        "strides": [[1] * 3] + [[2] * 3] * 4,
    }
    architecture = {"network_class_name": PUNET, "arch_kwargs": measures}
    settings = {"patch_size": [128] * 3, "architecture": architecture}
    assert patch_around([80, 80, 80], settings["patch_size"], settings) == [128] * 3
    assert patch_around([100, 100, 100], settings["patch_size"], settings) == [112] * 3
    assert patch_within(0.5, settings["patch_size"], settings) == [64] * 3
