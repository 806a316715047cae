"""The prompted network is one graph for torch.compile: no break, and no new graph for each prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from backbones import CLASSES, images, patch, plain, residual
from torch._dynamo.testing import CompileCounter

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.networks import PromptedUNet


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def prompted(build: Callable[[int], Any], axes: int = 3) -> PromptedUNet:
    """As a tuning has it: what starts at zero, and changes nothing then, is somewhere else."""
    torch.manual_seed(0)
    network = PromptedUNet(build(axes), patch(axes), CLASSES, PromptConfig(prompts=4, width=4), True)
    with torch.no_grad():
        for values in network.parameters():
            if values.requires_grad:
                values.add_(0.1 * torch.randn_like(values))
    return network


@pytest.mark.parametrize(("build", "axes"), [(plain, 2), (residual, 3)])
def test_compiled_equals_not_compiled(build: Callable[[int], Any], axes: int) -> None:
    network = prompted(build, axes)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    x = images(axes)
    for prompt in (1, 3, None):
        expected, got = network(x, prompt=prompt), compiled(x, prompt=prompt)
        for one, other in zip(expected, got, strict=True):
            torch.testing.assert_close(other, one)
    tuned = [values for values in network.parameters() if values.requires_grad]
    slopes = [
        torch.autograd.grad(sum(level.square().mean() for level in run(x, prompt=1)), tuned)
        for run in (network, compiled)
    ]
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(other, one)


def test_prompts_share_one_graph() -> None:
    """nnU-Net compiles for one shape of input; K graphs would take K times as long to compile."""
    graphs = CompileCounter()
    compiled = torch.compile(prompted(plain).train(), backend=graphs, fullgraph=True)
    for prompt in (0, 1, 2, 3):
        sum(level.square().mean() for level in compiled(images(), prompt=prompt)).backward()
    assert graphs.frame_count <= 3  # 0 and 1 are special to the compiler, then the number becomes an input


def test_deep_supervision_can_be_switched_off() -> None:
    network = prompted(plain)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    compiled(images())
    network.decoder.deep_supervision = False
    torch.testing.assert_close(compiled.eval()(images()), network.eval()(images()))
