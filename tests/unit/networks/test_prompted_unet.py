"""The laws of the prompted network, on every kind of backbone it supports."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from backbones import CLASSES, images, patch, plain, residual
from torch import Tensor, nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks import PromptedUNet

Build = Callable[..., nn.Module]
each_backbone = pytest.mark.parametrize("build", [plain, residual])
each_dimension = pytest.mark.parametrize("axes", [2, 3])


def prompted(
    build: Build = plain, axes: int = 3, deep: bool = True, seed: int = 0, **settings: Any
) -> PromptedUNet:
    torch.manual_seed(seed)
    return PromptedUNet(build(axes), patch(axes), CLASSES, PromptConfig(**settings), deep)


def tuned(network: PromptedUNet, steps: int = 3) -> PromptedUNet:
    """After a few optimizer steps that push every prompt's logits about."""
    network.train()
    with torch.no_grad():
        network.prompts.start_from(torch.rand(network.prompts.patch_size))
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], 1e-2)
    x = images(len(network.prompts.patch_size))
    for _ in range(steps):
        optimizer.zero_grad()
        for k in range(network.prompts.count):
            sum((level - k).square().mean() for level in network(x, prompt=k)).backward()
        optimizer.step()
    return network.eval()


@each_backbone
@each_dimension
def test_untuned_features_are_the_backbones_bit_for_bit(build: Build, axes: int) -> None:
    torch.manual_seed(0)
    backbone = build(axes).eval()
    network = PromptedUNet(copy.deepcopy(backbone), patch(axes), CLASSES, PromptConfig(), True).eval()
    seen: list[Tensor] = []
    for unet in (backbone, network):
        unet.decoder.stages[-1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = images(axes)
    backbone(x)
    for k in range(3):
        network(x, prompt=k)
        assert torch.equal(seen[0], seen[-1])


@each_backbone
@each_dimension
def test_one_output_a_decoder_stage_finest_first(build: Build, axes: int) -> None:
    outputs = prompted(build, axes)(images(axes))
    grids = [tuple(level.shape[2:]) for level in outputs]
    assert grids[0] == patch(axes)
    assert len(set(grids)) == 2
    assert all(level.shape[:2] == (2, CLASSES) for level in outputs)


def test_without_deep_supervision_one_tensor() -> None:
    network = prompted(deep=False)
    assert network(images()).shape == (2, CLASSES, *patch())


@each_backbone
def test_the_mean_of_the_prompts_is_what_one_by_one_gives(build: Build) -> None:
    network = tuned(prompted(build, deep=False))
    x = images()
    one_by_one = torch.stack([network(x, prompt=k) for k in range(3)])
    torch.testing.assert_close(network.predict_prompts(x), one_by_one)
    torch.testing.assert_close(network(x).softmax(1), one_by_one.softmax(2).mean(0))


def test_prompts_run_one_after_the_other_behind_what_they_share() -> None:
    network = prompted(prompts=4).eval()
    sizes: list[list[int]] = [[] for _ in network.encoder.stages]
    for stage, seen in zip(network.encoder.stages, sizes, strict=True):
        stage.register_forward_hook(lambda _, given, __, seen=seen: seen.append(len(given[0])))
    with torch.no_grad():
        network.predict_prompts(images(3, batch=2))
    assert sizes == [[2], *[[2] * 4] * (len(sizes) - 1)]


def test_regions_average_sigmoids() -> None:
    network = tuned(prompted(deep=False, region_based=True))
    x = images()
    torch.testing.assert_close(network(x).sigmoid(), network.predict_prompts(x).sigmoid().mean(0))


def test_prompts_made_before_are_used() -> None:
    network = tuned(prompted(deep=False))
    prompts, x = network.prompts(), images()
    torch.testing.assert_close(network(x, prompt=1, prompts=prompts), network(x, prompt=1))
    assert not torch.allclose(network(x, prompt=1, prompts=prompts.roll(1, 0)), network(x, prompt=1))


@each_backbone
def test_frozen_tensors_stay_bit_identical(build: Build) -> None:
    network = prompted(build)
    before = {name: tensor.clone() for name, tensor in network.frozen_state().items()}
    tuned(network)
    after = network.frozen_state()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_normalisation_statistics_and_dropout_are_frozen_too() -> None:
    torch.manual_seed(0)
    backbone = plain(norm_op=nn.BatchNorm3d, dropout_op=nn.Dropout3d, dropout_op_kwargs={"p": 0.5})
    network = PromptedUNet(backbone, patch(), CLASSES, PromptConfig(), True).train()
    buffers = {name: tensor.clone() for name, tensor in network.named_buffers()}
    assert buffers
    first, second = network(images(), prompt=0), network(images(), prompt=0)
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(buffers[name], tensor) for name, tensor in network.named_buffers())


def test_every_tuned_tensor_is_trained_and_no_other() -> None:
    network = tuned(prompted())
    sum(level.square().mean() for k in range(3) for level in network(images(), prompt=k)).backward()
    trained = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    fixed = {name for name in network.tuned_state() if name.endswith("projection")}
    assert trained == network.tuned_state().keys() - fixed


@each_backbone
def test_different_prompts_give_different_outputs(build: Build) -> None:
    network = tuned(prompted(build, deep=False))
    x = images()
    swapped = copy.deepcopy(network)
    with torch.no_grad():
        for weight in (
            swapped.prompts.expand_weight,
            swapped.prompts.expand_bias,
            swapped.prompts.reduce_weight,
        ):
            weight.copy_(weight.roll(1, 0))
    assert (network.predict_prompts(x) - swapped.predict_prompts(x)).abs().max() > 1e-3


def test_state_dict_round_trip_predicts_the_same() -> None:
    network, other = tuned(prompted(deep=False)), prompted(deep=False, seed=1)
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(images()), other.eval()(images()))


def test_the_two_states_partition_the_tensors() -> None:
    network = prompted()
    frozen, tuned_ = network.frozen_state(), network.tuned_state()
    count = sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers()))
    assert not frozen.keys() & tuned_.keys()
    assert sum(tensor.numel() for tensor in (*frozen.values(), *tuned_.values())) == count


def test_another_grid_than_the_patch_works() -> None:
    x = torch.randn(1, 2, 8, 24, 20)
    assert prompted(deep=False)(x).shape == (1, CLASSES, 8, 24, 20)


def test_another_architecture_is_refused_by_name() -> None:
    with pytest.raises(ArchitectureError, match="PlainConvUNet, ResidualEncoderUNet"):
        PromptedUNet(nn.Conv3d(1, 1, 1), patch(), CLASSES, PromptConfig(), True)
