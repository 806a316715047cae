"""A task so small that the real nnU-Net can be asked about it: plans, dataset.json and its folders."""

from pathlib import Path
from typing import Any

import pytest

ONE_CONFIGURATION = {
    "data_identifier": "nnUNetPlans_3d_fullres",
    "batch_size": 2,
    "patch_size": [8, 8, 8],
    "spacing": [1.0, 1.0, 1.0],
    "batch_dice": False,
    "architecture": {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 3,  # nnU-Net gives the coarsest output no weight, so there have to be two
            "features_per_stage": [4, 6, 8],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * 3,
            "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
            "n_conv_per_stage": [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
    },
}


@pytest.fixture
def plans() -> dict[str, Any]:
    return {
        "dataset_name": "Dataset999_Tiny",
        "plans_name": "nnUNetPlans",
        "label_manager": "LabelManager",
        "configurations": {"3d_fullres": ONE_CONFIGURATION},
    }


@pytest.fixture
def dataset_json() -> dict[str, Any]:
    return {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "tumour": 2},
        "numTraining": 0,
        "file_ending": ".nii.gz",
    }


@pytest.fixture
def nnunet_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders that nnU-Net asks for, with one (empty) preprocessed case of the tiny task."""
    for name in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    cases = tmp_path / "preprocessed" / "Dataset999_Tiny" / ONE_CONFIGURATION["data_identifier"]
    cases.mkdir(parents=True)
    (cases / "case.b2nd").touch()
    return tmp_path
