"""What is read from nnU-Net's U-Nets, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from backbones import plain, residual
from torch import nn

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks import SUPPORTED_ARCHITECTURES, check_architecture
from nnunet_slpt.networks.backbone import (
    describe_stages,
    freeze,
    parameter_summary,
    read_parameter_summary,
)


@pytest.mark.parametrize("build", [plain, residual])
def test_stages_come_in_the_order_in_which_they_run(build: Any) -> None:
    stages = describe_stages(build(3))
    assert [stage.channels for stage in stages] == [4, 8, 12, 8, 4]
    assert [stage.stride for stage in stages] == [(2, 4, 4), (2, 2, 2), (1, 1, 1), (2, 2, 2), (1, 2, 2)]
    assert [stage.kernel for stage in stages] == [(1, 3, 3), *[(3, 3, 3)] * 3, (1, 3, 3)]


def test_kernels_and_strides_may_be_one_number() -> None:
    stages = describe_stages(plain(2, kernel_sizes=3, strides=[1, 2, 2]))
    assert {stage.kernel for stage in stages} == {(3, 3)}
    assert stages[0].stride == (4, 4)


def test_freezing_reaches_everything() -> None:
    network = plain().train()
    freeze(network)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not any(module.training for module in network.modules())


def test_a_summary_of_parameters_can_be_read_back() -> None:
    network = nn.Sequential(nn.Linear(1000, 2, bias=False), nn.Linear(2, 3, bias=False))
    freeze(network[0])
    words = parameter_summary(network, pretrained=2000)
    assert read_parameter_summary(f"Prompts inside a.pth: {words}. 1 of 2 outputs start") == (2000, 6)
    assert read_parameter_summary("From scratch: 12 parameters.") is None


@pytest.mark.parametrize("name", [*SUPPORTED_ARCHITECTURES, "package.unet.PlainConvUNet"])
def test_supported(name: str) -> None:
    check_architecture(name)


@pytest.mark.parametrize("name", ["PUNet", "nnunet_slpt.networks.punet.PUNet"])
def test_a_punet_is_told_its_trainer(name: str) -> None:
    with pytest.raises(ArchitectureError, match="nnUNetTrainerPUNet"):
        check_architecture(name)


@pytest.mark.parametrize("name", ["Primus", "PlainConvEncoder", "package.PlainConvUNet.Other", ""])
def test_others_are_refused_with_the_supported_ones(name: str) -> None:
    with pytest.raises(ArchitectureError, match="Supported: PlainConvUNet, ResidualEncoderUNet"):
        check_architecture(name)
