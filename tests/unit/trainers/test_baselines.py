"""What each baseline tunes of nnU-Net's stock network: the numbers of docs/reference/tuning-methods.md."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from nnunet_slpt import trainers
from nnunet_slpt.networks.stock import choose_tuned
from nnunet_slpt.trainers.baselines import nnUNetTrainerLoRA

EVERYTHING = 31_197_204


def stock_network() -> Any:
    """Of six stages up to 320 features; on a device that keeps shapes alone."""
    return PlainConvUNet(
        input_channels=1,
        n_stages=6,
        features_per_stage=[32, 64, 128, 256, 320, 320],
        conv_op=nn.Conv3d,
        kernel_sizes=3,
        strides=[1, 2, 2, 2, 2, 2],
        n_conv_per_stage=2,
        num_classes=4,
        n_conv_per_stage_decoder=2,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"affine": True},
        nonlin=nn.LeakyReLU,
        deep_supervision=True,
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nnUNetTrainerFullAdamW", EVERYTHING),
        ("nnUNetTrainerFullSGD", EVERYTHING),
        ("nnUNetTrainerScratch", EVERYTHING),
        ("nnUNetTrainerHead", 3_220),
        ("nnUNetTrainerDecoder", 17_172_084),
        ("nnUNetTrainerBiasNorm", 15_540),
        ("nnUNetTrainerLoRA", 1_027_180),
    ],
)
def test_it_tunes_as_many_parameters_as_the_reference_says(name: str, parameters: int) -> None:
    trainer: Any = getattr(trainers, name)
    with torch.device("meta"):
        network = stock_network()
        trainer.extend(network)
    choose_tuned(network, trainer.is_tuned)
    assert sum(one.numel() for one in network.parameters() if one.requires_grad) == parameters


def test_lora_is_of_rank_eight_everywhere_but_in_the_heads() -> None:
    with torch.device("meta"):
        network = stock_network()
        nnUNetTrainerLoRA.extend(network)
    ranks = {
        name: values.shape[1] for name, values in network.named_parameters() if name.endswith("weight.0.up")
    }
    assert set(ranks.values()) == {8}
    # Two convolutions in each of eleven stages, and five transposed ones between the decoder's.
    assert len(ranks) == 2 * 11 + 5
    assert not any(name.startswith("decoder.seg_layers") for name in ranks)
