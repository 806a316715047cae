"""Plans for pretraining: nnU-Net's own but for the network, within the memory, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from nnunet_slpt.config import PUNetPretrainConfig
from nnunet_slpt.errors import DatasetError, PlanningError
from nnunet_slpt.networks.punet import PUNET, PUNet
from nnunet_slpt.planners import Wishes
from nnunet_slpt.planners.punet import PretrainingRequest, draft_pretraining, write_pretraining

SMALL = (4, 8, 8)
# As nnU-Net's planner decides it, whatever network it plans for.
OF_THE_DATASET = ("spacing", "normalization_schemes", "use_mask_for_norm", "median_image_size_in_voxels")


def drafted(**wanted: Any) -> Any:
    return draft_pretraining(PretrainingRequest(**{"dataset": "200", "processes": 1, **wanted}))


def levels(draft: Any) -> dict[str, str]:
    return {finding.subject: finding.level for finding in draft.findings}


@pytest.mark.parametrize("labelled", [4, 2, 0])
def test_a_network_can_be_built_from_every_configuration(place: Any, labelled: int) -> None:
    place.dataset(labelled=labelled, shape=(40, 36, 32))
    draft = drafted()
    assert list(draft.configurations) == ["3d_fullres", "2d"]
    for name, settings in draft.configurations.items():
        network = settings["architecture"]
        assert network["network_class_name"] == PUNET
        PUNet(input_channels=1, patch_size=settings["patch_size"], **network["arch_kwargs"])
        assert settings["data_identifier"] == f"nnUNetPUNetPlans_{name}"
        assert draft.gigabytes(name) <= 8
    assert PUNetPretrainConfig.from_plans(draft.plans) == PUNetPretrainConfig()
    assert f"{labelled} of 4 have a label" in draft.findings[0].text
    assert place.files() == set()


def test_all_but_the_network_is_nnunets(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place.dataset(shape=(40, 36, 32), spacing=(1.0, 1.0, 3.0))
    monkeypatch.setenv("nnUNet_n_proc_DA", "1")  # which its planner hands to torch.set_num_threads
    draft = drafted(features=SMALL, gpu_memory=24)
    write_pretraining(draft)  # the fingerprint too, which nnU-Net's planner reads
    stock = ExperimentPlanner("Dataset200_Target").plan_experiment()
    for name in ("3d_fullres", "2d"):
        ours, theirs = draft.configurations[name], stock["configurations"][name]
        assert {key: ours[key] for key in OF_THE_DATASET} == {key: theirs[key] for key in OF_THE_DATASET}
        assert ours["patch_size"] == list(theirs["patch_size"])
        network, unet = ours["architecture"]["arch_kwargs"], theirs["architecture"]["arch_kwargs"]
        stages = len(network["strides"])
        assert network["features_per_stage"] == [*SMALL[:stages]]
        assert network["strides"] == [list(stride) for stride in unet["strides"][:stages]]
        assert network["kernel_sizes"] == [list(kernel) for kernel in unet["kernel_sizes"][:stages]]
    assert draft.plans["image_reader_writer"] == stock["image_reader_writer"]
    assert draft.plans["transpose_forward"] == stock["transpose_forward"]


def test_less_memory_makes_the_batch_and_then_the_patch_smaller(place: Any) -> None:
    place.dataset(cases=60, labelled=0, shape=(16, 16, 16))
    sizes = []
    for memory in (8.0, 1.13, 1.04):
        draft = drafted(gpu_memory=memory, configuration="3d_fullres")
        settings = draft.configurations["3d_fullres"]
        sizes.append((settings["batch_size"], math.prod(settings["patch_size"])))
        assert draft.gigabytes("3d_fullres") <= memory
    assert sizes[0][0] > sizes[1][0] == sizes[2][0] == 2
    assert sizes[0][1] == sizes[1][1] > sizes[2][1]


def test_a_cascade_is_left_out_and_its_first_stage_stays(place: Any) -> None:
    place.dataset(cases=2, shape=(96, 96, 96))
    draft = drafted(gpu_memory=1.5)
    assert set(draft.configurations) == {"3d_fullres", "3d_lowres", "2d"}
    assert not [name for name, settings in draft.configurations.items() if "next_stage" in settings]


def test_what_is_wished_is_taken_even_if_it_does_not_fit(place: Any) -> None:
    place.dataset(shape=(40, 36, 32))
    draft = drafted(gpu_memory=1.1, features=SMALL, wishes=Wishes((32, 32, 48), 5))
    assert draft.configurations["3d_fullres"]["patch_size"] == [32, 32, 48]
    assert {settings["batch_size"] for settings in draft.configurations.values()} == {5}
    assert levels(draft)["GPU memory"] == "warning"


def test_ct_without_a_label_is_normalised_by_itself_and_this_is_told(place: Any) -> None:
    place.dataset(("CT",), labelled=0)
    draft = drafted(features=SMALL)
    assert draft.configurations["3d_fullres"]["normalization_schemes"] == ["ZScoreNormalization"]
    assert levels(draft)["normalisation"] == "warning"
    assert draft.plans["foreground_intensity_properties_per_channel"] == {"0": {}}  # nnU-Net looks it up


def test_ct_with_a_label_is_normalised_as_usual(place: Any) -> None:
    place.dataset(("CT",), labelled=1)
    draft = drafted(features=SMALL)
    assert draft.configurations["3d_fullres"]["normalization_schemes"] == ["CTNormalization"]
    assert "normalisation" not in levels(draft)


def test_small_images_have_fewer_stages_and_this_is_told(place: Any) -> None:
    place.dataset(shape=(18, 18, 18))
    draft = drafted()
    assert len(draft.configurations["3d_fullres"]["architecture"]["arch_kwargs"]["strides"]) == 3
    assert "3d_fullres has 3 stages, not 5" in str(draft.findings)


def test_regions_and_epochs_are_noted(place: Any) -> None:
    place.dataset(labels={"background": 0, "all": [1, 2], "organ": 1}, more={"regions_class_order": [2, 1]})
    config = PUNetPretrainConfig.from_plans(drafted(epochs=3).plans)
    assert (config.epochs, config.region_based) == (3, True)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"features": (8,)}, "--features 8: expected 2 or more"),
        ({"features": (8, 0)}, "--features 8 0: expected"),
        ({"gpu_memory": 1.0}, "--gpu_memory 1: expected more than 1 GB"),
        ({"gpu_memory": 1.001}, "--gpu_memory"),
        ({"wishes": Wishes((16,))}, "--patch_size 16: expected three numbers"),
        ({"wishes": Wishes((17, 16, 16))}, "multiples of .*--patch_size 16 16 16"),
        ({"wishes": Wishes((4, 4, 4))}, "patch of 4 x 4 x 4 voxels is too small to be halved"),
        ({"wishes": Wishes((16, 16)), "configuration": "3d_fullres"}, "as many axes"),
        ({"configuration": "3d_cascade_fullres"}, "3d_fullres"),
        ({"plans_name": "a/b"}, "plans name is 'a/b'"),
    ],
)
def test_what_cannot_be_planned_is_refused(place: Any, wanted: Any, words: str) -> None:
    place.dataset()
    with pytest.raises(PlanningError, match=words):
        drafted(**wanted)
    assert place.files() == set()


def test_images_too_small_for_two_stages(place: Any) -> None:
    place.dataset(shape=(7, 7, 7))
    with pytest.raises(PlanningError, match="too small to be halved"):
        drafted()


def test_a_damaged_image_is_named(place: Any) -> None:
    place.dataset()
    (place.folder / "raw/Dataset200_Target/imagesTr/case_1_0000.nii.gz").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match="case_1"):
        drafted()
