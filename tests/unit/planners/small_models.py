"""Models and datasets of the smallest kind, as nnU-Net writes them and as its older versions did."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from nnunet_slpt.networks.punet import PUNET, LabelPUNet

UNETS = "dynamic_network_architectures.architectures.unet."
MODEL_NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"
LABELS = {"background": 0, "organ": 1}


def architecture_of(axes: int, network: str) -> dict[str, Any]:
    """The entry ``architecture`` of a configuration."""
    kind = "n_blocks_per_stage" if network == "ResidualEncoderUNet" else "n_conv_per_stage"
    return {
        "network_class_name": UNETS + network,
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
            "kernel_sizes": [[3] * axes] * 3,
            "strides": [[1] * axes, [2] * axes, [2] * axes],
            kind: [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def plans_of(
    axes: int = 3, network: str = "PlainConvUNet", scheme: str = "ZScoreNormalization", channels: int = 1
) -> dict[str, Any]:
    """Plans of nnU-Net 2.8: three narrow stages, patch 16."""
    settings: dict[str, Any] = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 4,
        "patch_size": [16] * axes,
        "median_image_size_in_voxels": [99.0] * axes,
        "spacing": [1.0] * axes,
        "normalization_schemes": [scheme] * channels,
        "use_mask_for_norm": [False] * channels,
        "batch_dice": False,
        "architecture": architecture_of(axes, network),
    }
    resampling = {"order": 1, "order_z": 0, "force_separate_z": None}
    for what in ("data", "seg", "probabilities"):
        settings[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        settings[f"resampling_fn_{what}_kwargs"] = {"is_seg": what == "seg", **resampling}
    statistics = {"mean": 1.0, "std": 2.0, "percentile_00_5": -1.0, "percentile_99_5": 3.0}
    return {
        "dataset_name": "Dataset100_Source",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [99, 99, 99],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres" if axes == 3 else "2d": settings},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(i): {**statistics, "mean": float(i)} for i in range(channels)
        },
    }


def as_before_2_3(plans: dict[str, Any], inherited: bool = False) -> dict[str, Any]:
    """The same plans as nnU-Net 2.0 to 2.2 wrote them (default_experiment_planner.py of these releases).

    Args:
        plans: today's.
        inherited: the configuration gets its parts from another one, as users of old plans wrote it by hand.
    """
    old = copy.deepcopy(plans)
    for name, settings in list(old["configurations"].items()):
        architecture = settings.pop("architecture")
        kwargs = architecture["arch_kwargs"]
        settings |= {
            "UNet_class_name": architecture["network_class_name"].rsplit(".", 1)[-1],
            "UNet_base_num_features": kwargs["features_per_stage"][0],
            "n_conv_per_stage_encoder": kwargs.get("n_conv_per_stage", kwargs.get("n_blocks_per_stage")),
            "n_conv_per_stage_decoder": kwargs["n_conv_per_stage_decoder"],
            "num_pool_per_axis": [2] * len(settings["patch_size"]),
            "pool_op_kernel_sizes": kwargs["strides"],
            "conv_kernel_sizes": kwargs["kernel_sizes"],
            "unet_max_num_features": max(kwargs["features_per_stage"]),
        }
        if inherited:
            old["configurations"][f"{name}_base"] = settings
            old["configurations"][name] = {"inherits_from": f"{name}_base", "batch_size": 4}
    return old


def about(
    channels: tuple[str, ...] = ("MRI",), labels: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A ``dataset.json``."""
    names = {str(i): name for i, name in enumerate(channels)}
    return {
        "channel_names": names,
        "labels": labels or LABELS,
        "numTraining": 0,
        "file_ending": ".nii.gz",
        **more,
    }


def write_model(
    folder: Path,
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    written_plans: dict[str, Any] | None = None,
    name: str = MODEL_NAME,
) -> Path:
    """A model folder with random weights for these plans.

    Args:
        folder: of the results.
        plans: today's; the network is built from them.
        dataset_json: channels and labels.
        written_plans: what is written instead of them, in an older form.
        name: of the model's folder.
    """
    (settings,) = plans["configurations"].values()
    architecture = settings["architecture"]
    torch.manual_seed(0)
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        len(dataset_json["channel_names"]),
        len(dataset_json["labels"]),
        deep_supervision=True,
    )
    return save_model(folder, network, plans, dataset_json, written_plans, name)


def save_model(
    folder: Path,
    network: torch.nn.Module,
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    written_plans: dict[str, Any] | None = None,
    name: str = MODEL_NAME,
) -> Path:
    """The model folder, as the trainer of its name leaves it; arguments as ``write_model``'s."""
    (configuration,) = plans["configurations"]
    written = written_plans or plans
    model = folder / plans["dataset_name"] / name
    (model / "fold_all").mkdir(parents=True)
    (model / "plans.json").write_text(json.dumps(written))
    (model / "dataset.json").write_text(json.dumps(dataset_json))
    arguments = {
        "plans": written,
        "dataset_json": dataset_json,
        "configuration": configuration,
        "fold": "all",
    }
    content = {
        "network_weights": network.state_dict(),
        "init_args": arguments,
        "trainer_name": name.split("__", maxsplit=1)[0],
    }
    torch.save(content, model / "fold_all/checkpoint_final.pth")
    return model


def punet_plans_of(axes: int = 3, **unlike: Any) -> dict[str, Any]:
    """Plans of ``plans_of``, with a PUNet."""
    plans = plans_of(axes, **unlike)
    (settings,) = plans["configurations"].values()
    network = settings["architecture"]["arch_kwargs"]
    kept = {key: network[key] for key in ("features_per_stage", "kernel_sizes", "strides")}
    settings["architecture"] = {
        "network_class_name": PUNET,
        "arch_kwargs": {**kept, "prompted": "full", "tokens": 2},
        "_kw_requires_import": [],
    }
    return plans


def write_punet(folder: Path, classes: Iterable[str] = ("organ",), axes: int = 3) -> Path:
    """What nnUNetTrainerPUNetPretrain leaves, with random weights."""
    plans = punet_plans_of(axes)
    ((configuration, settings),) = plans["configurations"].items()
    measures = settings["architecture"]["arch_kwargs"] | {"patch_size": settings["patch_size"]}
    torch.manual_seed(0)
    network = LabelPUNet(list(classes), input_channels=1, **measures)
    dataset_json = about(labels={"background": 0, **{name: 1 + i for i, name in enumerate(classes)}})
    name = "nnUNetTrainerPUNetPretrain__nnUNetPUNetPlans__" + configuration
    return save_model(folder, network, plans, dataset_json, name=name)


def zipped(model: Path, at: Path) -> Path:
    """As nnUNetv2_export_model_to_zip packs it: the dataset's folder at the top."""
    return Path(shutil.make_archive(str(at), "zip", model.parents[1]))


def write_raw(
    folder: Path,
    dataset_json: dict[str, Any],
    cases: int = 4,
    labelled: int = 4,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    shape: tuple[int, int, int] = (20, 18, 16),
) -> Path:
    """A raw dataset: noise with a bright ball, spacing and shape in the order of the files' axes, x first."""
    random = np.random.default_rng(0)
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(dataset_json))
    array_shape = shape[::-1]
    centre = np.array(array_shape).reshape(-1, 1, 1, 1) / 2
    label = (np.linalg.norm(np.indices(array_shape) - centre, axis=0) < 6).astype(np.uint8)
    for case in range(cases):
        for channel in range(len(dataset_json["channel_names"])):
            voxels = (random.normal(size=array_shape) + 5 * label).astype(np.float32)
            _write(folder / f"imagesTr/case_{case}_{channel:04d}.nii.gz", voxels, spacing)
        if case < labelled:
            _write(folder / f"labelsTr/case_{case}.nii.gz", label, spacing)
    return folder


def _write(file: Path, voxels: Any, spacing: tuple[float, float, float]) -> None:
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(file))
