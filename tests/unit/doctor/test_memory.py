"""The estimate follows patch, batch and network; what is said follows the GPU at hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_models import plans_of, punet_plans_of

from nnunet_slpt.doctor import memory
from nnunet_slpt.doctor.memory import gigabytes, gpu_memory
from nnunet_slpt.networks.punet.memory import gigabytes as gigabytes_of_punet
from nnunet_slpt.networks.punet.plan import BodyPlan


def settings_of(axes: int = 3, network: str = "PlainConvUNet", **unlike: Any) -> dict[str, Any]:
    (settings,) = plans_of(axes, network)["configurations"].values()
    settings["architecture"]["arch_kwargs"]["features_per_stage"] = [32, 64, 128]
    return {**settings, "patch_size": [128] * axes, "batch_size": 2 if axes == 3 else 12} | unlike


def test_it_grows_with_the_batch_and_the_patch() -> None:
    base = gigabytes(settings_of(), 1, 2)
    assert gigabytes(settings_of(batch_size=4), 1, 2) == pytest.approx(2 * base)
    assert gigabytes(settings_of(patch_size=[128, 128, 256]), 1, 2) == pytest.approx(2 * base)


def test_a_patch_that_nnunet_plans_for_8_gb_takes_that_and_our_share() -> None:
    # nnUNetPlans for isotropic CT; the next larger valid patch would be beyond 8 GB.
    deep = settings_of(patch_size=[128, 128, 128])
    deep["architecture"]["arch_kwargs"] |= {
        "n_stages": 6,
        "features_per_stage": [32, 64, 128, 256, 320, 320],
        "kernel_sizes": [[3] * 3] * 6,
        "strides": [[1] * 3] + [[2] * 3] * 5,
        "n_conv_per_stage": [2] * 6,
        "n_conv_per_stage_decoder": [2] * 5,
    }
    larger = deep | {"patch_size": [160, 128, 128]}
    assert gigabytes(deep, 1, 2) < 8 * 1.5 < gigabytes(larger, 1, 2)


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("network", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_every_network_that_takes_prompts_has_an_estimate(axes: int, network: str) -> None:
    assert gigabytes(settings_of(axes, network, patch_size=[512] * axes, batch_size=12), 1, 2) > 1


def test_a_punet_has_its_own_estimate() -> None:
    (settings,) = punet_plans_of()["configurations"].values()
    plan = BodyPlan.from_settings(settings, input_channels=1)
    assert gigabytes(settings, 1, 2) == gigabytes_of_punet(plan, settings["batch_size"], tokens=2)
    fewer = settings | {"batch_size": 2}
    assert 1 < gigabytes(fewer, 1, 2) < gigabytes(settings, 1, 2)


def test_cuda_takes_something_by_itself() -> None:
    assert gigabytes(settings_of(patch_size=[16] * 3), 1, 2) == 1


@pytest.fixture
def told(examined: Any, look: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The finding where the tuning takes so much and the GPU, if there is one, has so much."""

    def tell(need: float, there: float | None, **unlike: Any) -> Any:
        properties = SimpleNamespace(total_memory=(there or 0) * 1e9, name="GPU")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: there is not None)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
        monkeypatch.setattr(memory, "gigabytes", lambda *_: need)
        one = examined([look()])
        vars(one)["new_settings"] = settings_of(**unlike)
        (finding,) = gpu_memory(one)
        return finding

    return tell


def test_without_a_gpu_it_is_a_note_with_the_estimate(told: Any) -> None:
    found = told(12, None)
    assert (found.level, found.text) == (
        "note",
        "tuning takes about 12 GB (patch 128 x 128 x 128, batch size 2); PyTorch sees no GPU here.",
    )


def test_enough_is_a_note(told: Any) -> None:
    found = told(12, 24)
    assert found.level == "note"
    assert "of the 24 GB of GPU" in found.text


def test_too_little_is_a_warning_with_fewer_patches(told: Any) -> None:
    found = told(12, 8, batch_size=6)
    assert (found.level, found.remedy) == ("warning", "Plan with --batch_size 4")


def test_then_with_smaller_ones(told: Any) -> None:
    assert told(12, 8, batch_size=2).remedy == "Plan with --batch_size 2 --patch_size 108 112 112"


def test_then_with_nothing(told: Any) -> None:
    assert "more memory" in told(1000, 1).remedy
