"""On a GPU: every tensor on the device, half precision where it is safe and nowhere else.

Told without a GPU, by torch's fake tensors: they have a device, a type and a shape, and nothing in them. An
operation on tensors of two devices is refused as on a real one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import torch
from backbones import CHANNELS, CLASSES, patch, plain, residual
from small_punets import settings as punet_settings
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss, diversity_loss
from nnunet_slpt.losses.cpa import Box, assignment_loss, online_prototypes
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.networks.lora import add_lora
from nnunet_slpt.networks.punet import LabelPUNet, attention

CUDA = torch.device("cuda", 0)
SETTINGS = [{}, {"updaters": False}, {"aspp": False, "squeeze_excitation": False, "separable": False}]
each_dimension = pytest.mark.parametrize("axes", [2, 3])


class Gpu:
    """A GPU that can be talked to and computes nothing."""

    def __init__(self) -> None:
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)

    def tensor(self, like: Tensor) -> Tensor:
        return FakeTensor(self.mode, like.detach().to("meta"), CUDA)

    def network(self, network: nn.Module) -> nn.Module:
        """What ``network.to("cuda")`` moves; a tensor that is neither parameter nor buffer stays behind."""
        for module in network.modules():
            for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
                module._parameters[name] = nn.Parameter(self.tensor(parameter), parameter.requires_grad)
            for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
                module._buffers[name] = self.tensor(buffer)
        return network.train()

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """As the trainers on CUDA."""
        with mock.patch("torch.cuda.is_available", return_value=True), self.mode, torch.autocast("cuda"):
            yield


@pytest.fixture
def gpu() -> Gpu:
    return Gpu()


def on_gpu_in(precision: torch.dtype, tensor: Tensor) -> bool:
    return tensor.device == CUDA and tensor.dtype == precision


@each_dimension
@pytest.mark.parametrize("build", [plain, residual])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_prompts_are_tuned_in_half_precision_and_judged_in_single(gpu, settings, build, axes):
    config = PromptConfig(**settings)
    network = gpu.network(PromptedUNet(build(axes), patch(axes), CLASSES, config, True))
    loss = PromptLoss(0.3, 0.7, ignore_label=3)
    features: list[Tensor] = []
    for stage in (*network.encoder.stages, *network.decoder.stages, *network.decoder.transpconvs):
        stage.register_forward_hook(lambda _, given, __: features.extend(given))
    with gpu.autocast():
        images = torch.empty(2, CHANNELS, *patch(axes), device=CUDA)
        prompts = network.prompts()
        assert on_gpu_in(torch.float32, diversity_loss(prompts))
        for k in range(config.prompts):
            for level in network(images, prompt=k, prompts=prompts):
                assert on_gpu_in(torch.float16, level)
                target = torch.empty(2, 1, *level.shape[2:], dtype=torch.int16, device=CUDA)
                assert on_gpu_in(torch.float32, loss(level, target))
    seen = [one for one in features if one.shape[1] != CHANNELS]  # but for the images
    assert seen
    assert all(on_gpu_in(torch.float16, one) for one in seen)


@each_dimension
def test_predictions_stay_on_the_gpu(gpu, axes):
    network = PromptedUNet(plain(axes), patch(axes), CLASSES, PromptConfig(), True)
    gpu.network(network).eval()
    network.decoder.deep_supervision = False
    with gpu.autocast(), torch.inference_mode():
        images = torch.empty(2, CHANNELS, *patch(axes), device=CUDA)
        assert network.predict_prompts(images).device == CUDA
        assert network(images).device == CUDA


def test_low_rank_weights_stay_on_the_gpu(gpu):
    network = plain(3)
    add_lora(network, 2)
    gpu.network(network)
    with gpu.autocast():
        levels = network(torch.empty(2, CHANNELS, *patch(3), device=CUDA))
        assert all(on_gpu_in(torch.float16, level) for level in levels)


@each_dimension
def test_tokens_are_compared_in_single_precision(gpu, axes, monkeypatch):
    monkeypatch.setattr(attention, "lay_out", windows_on(gpu))
    measures = punet_settings(axes)
    network = gpu.network(LabelPUNet(["a", "b"], tokens=3, **measures))
    with gpu.autocast():
        images = torch.empty(2, measures["input_channels"], *measures["patch_size"], device=CUDA)
        assert on_gpu_in(torch.float16, network.body(images))
        for names in (["a"], ["a", "b"], None):
            assert on_gpu_in(torch.float32, network(images, names))


def windows_on(gpu: Gpu) -> Any:
    """As ``attention.lay_out``, whose windows depend on values, which fake tensors do not have."""
    lay_out = attention.lay_out

    def move(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else gpu.tensor(tensor)

    def lay_out_there(grid: Any, window: Any, shifted: bool, device: torch.device) -> Any:
        assert device == CUDA
        with unset_fake_temporarily():
            made = lay_out(grid, window, shifted)
        groups = tuple((move(numbers), move(mask)) for numbers, mask in made.groups)
        return dataclasses.replace(made, groups=groups, order=move(made.order))

    return lay_out_there


@each_dimension
def test_features_are_assigned_in_single_precision(gpu, axes):
    # Boxes are drawn on the CPU, as the trainer draws them.
    box = Box(torch.zeros(2, axes), torch.full((2, axes), 8.0))
    with gpu.autocast():
        features = torch.empty(2, 4, *[8] * axes, dtype=torch.float16, device=CUDA)
        prototypes = online_prototypes(features, [2] * axes)
        assert on_gpu_in(torch.float32, prototypes)
        assert on_gpu_in(torch.float32, assignment_loss(features, features, prototypes, box, box))


def test_a_tensor_left_behind_is_noticed(gpu):
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = torch.ones(3)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.left

    network = gpu.network(Forgetful())
    with gpu.autocast(), pytest.raises(RuntimeError, match="device"):
        network(torch.empty(3, device=CUDA))
