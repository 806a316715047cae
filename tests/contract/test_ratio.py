"""Tuned ÷ frozen parameters, through the static method that inference uses, on plans without a block.

On the meta device: nothing is computed, no memory is used.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.trainers import nnUNetTrainerSLPT

NETWORKS = "dynamic_network_architectures.architectures.unet."
LIMIT = 0.06
DEEP = [32, 64, 128, 256, 320, 320]


def plans(network: str, features: list[int], blocks: list[int], patch: list[int]) -> dict[str, Any]:
    """As nnU-Net's planners write them (experiment_planning/experiment_planners)."""
    axes, stages = len(patch), len(features)
    residual = network == "ResidualEncoderUNet"
    architecture = {
        "network_class_name": NETWORKS + network,
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": features,
            "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
            "kernel_sizes": [[3] * axes] * stages,
            "strides": [[1] * axes] + [[2] * axes] * (stages - 1),
            "n_blocks_per_stage" if residual else "n_conv_per_stage": blocks,
            "n_conv_per_stage_decoder": [1 if residual else 2] * (stages - 1),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
    }
    configuration = {"patch_size": patch, "batch_size": 2, "architecture": architecture}
    return {"dataset_name": "Dataset999_Any", "plans_name": "p", "configurations": {"any": configuration}}


@pytest.mark.parametrize(
    ("network", "features", "blocks", "patch"),
    [
        pytest.param("PlainConvUNet", DEEP, [2] * 6, [128] * 3, id="3d_fullres"),
        pytest.param("ResidualEncoderUNet", DEEP, [1, 3, 4, 6, 6, 6], [128] * 3, id="ResEnc-M"),
        pytest.param("ResidualEncoderUNet", DEEP, [1, 3, 4, 6, 6, 6], [160, 192, 160], id="ResEnc-L"),
        pytest.param(
            "PlainConvUNet", [32, 64, 128, 256, 512, 512, 512, 512], [2] * 8, [512, 512], id="stock-2d"
        ),
    ],
)
def test_few_parameters_are_tuned(
    network: str, features: list[int], blocks: list[int], patch: list[int]
) -> None:
    manager = PlansManager(plans(network, features, blocks, patch))
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # initialising on this device does nothing, and says so
        built = nnUNetTrainerSLPT.build_network_architecture(
            manager, manager.get_configuration("any"), 1, 3, True
        )
    frozen, tuned = (
        sum(tensor.numel() for tensor in state.values())
        for state in (built.frozen_state(), built.tuned_state())
    )
    assert frozen > 2e7
    assert tuned <= LIMIT * frozen
