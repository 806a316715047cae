"""Tiny U-Nets and checkpoints of them, written as nnU-Net writes them."""

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.pretrained import read_checkpoint

LABELS = {"background": 0, "liver": 1, "tumour": 2}


def build_backbone(
    axes=3, channels=1, widths=(4, 6, 8), residual=False, norm="InstanceNorm", blocks=1, classes=3
):
    stages = len(widths)
    arguments = {
        "n_stages": stages,
        "features_per_stage": widths,
        "conv_op": getattr(nn, f"Conv{axes}d"),
        "kernel_sizes": [[3] * axes] * stages,
        "strides": [[1] * axes] + [[2] * axes] * (stages - 1),
        "n_blocks_per_stage" if residual else "n_conv_per_stage": blocks,
        "num_classes": classes,
        "n_conv_per_stage_decoder": 1,
        "conv_bias": True,
        "norm_op": getattr(nn, f"{norm}{axes}d"),
        "norm_op_kwargs": {"affine": True},
        "nonlin": nn.LeakyReLU,
    }
    unet = ResidualEncoderUNet if residual else PlainConvUNet
    return unet(channels, **arguments)


def build_checkpoint(weights):
    """What nnUNetTrainer.save_checkpoint writes, numpy numbers included."""
    return {
        "network_weights": weights,
        "init_args": {
            "plans": {"dataset_name": "Dataset001_Tiny", "plans_name": "nnUNetPlans"},
            "configuration": "3d_fullres",
            "fold": 0,
            "dataset_json": {"labels": LABELS, "channel_names": {"0": "CT"}},
            "device": torch.device("cpu"),
        },
        "trainer_name": "nnUNetTrainer",
        "_best_ema": np.float32(0.5),
        "logging": {"mean_fg_dice": [np.float64(0.1), np.int64(2)]},
    }


@pytest.fixture
def labels():
    return LABELS


@pytest.fixture
def backbone():
    """Build a U-Net; the arguments say in what it is special."""
    return build_backbone


@pytest.fixture
def prompted():
    """Build a prompted network around such a U-Net."""

    def build(classes=2, prompts=2, axes=3, settings=None, **kinds):
        config = PromptConfig(prompts=prompts, prompt_channels=2, **(settings or {}))
        return PromptedUNet(
            build_backbone(axes, **kinds), (8,) * axes, classes, config, deep_supervision=True
        )

    return build


@pytest.fixture
def save(tmp_path):
    """Write anything to a file and give its path."""

    def write(content, **how):
        torch.save(content, tmp_path / "checkpoint_final.pth", **how)
        return tmp_path / "checkpoint_final.pth"

    return write


@pytest.fixture
def save_weights(save):
    """Write weights as a whole checkpoint of nnU-Net."""
    return lambda weights, **how: save(build_checkpoint(weights), **how)


@pytest.fixture
def pretrained(save_weights):
    """A U-Net, saved and read again."""
    return lambda **kinds: read_checkpoint(save_weights(build_backbone(**kinds).state_dict()))
