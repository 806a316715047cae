"""What one process of test_gradients.py's distributed test does, with either kind of network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from ranks import among_ranks
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import diversity_loss
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.trainers.gradients import average_gradients, unwrap


def prompted_unet() -> PromptedUNet:
    """A small prompted network, the same in every process, in which every tuned tensor matters."""
    torch.manual_seed(0)
    backbone = PlainConvUNet(
        1, 2, [4, 8], nn.Conv2d, 3, [1, 2], [1, 1], 2, [1], True, nn.InstanceNorm2d, {"affine": True},
        nonlin=nn.LeakyReLU, deep_supervision=True,
    )  # fmt: skip
    network = PromptedUNet(backbone, (8, 8), 2, PromptConfig(prompts=2, prompt_channels=2, width=4), True)
    with torch.no_grad():
        for tensor in network.tuned_state().values():
            tensor.add_(0.1 * torch.randn_like(tensor))
    return network.train()


def of_prompts(network: Any, images: torch.Tensor) -> None:
    """As SLPT's trainer: prompts once, their diversity, then pass by pass, and last back into the prompts."""
    prompts = unwrap(network).prompts()
    leaves = prompts.detach().requires_grad_()
    diversity_loss(leaves).backward()
    for k in range(2):
        network(images, prompt=k, prompts=leaves)[0].square().mean().backward()
    prompts.backward(leaves.grad)


def punet() -> LabelPUNet:
    """A small PUNet, the same in every process, none of it frozen."""
    torch.manual_seed(0)
    measures = {"features_per_stage": [4, 8], "kernel_sizes": [[3, 3]] * 2, "strides": [[1, 1], [2, 2]]}
    return LabelPUNet(["a", "b"], input_channels=1, patch_size=(8, 8), tokens=2, **measures).train()


def of_classes(network: Any, images: torch.Tensor) -> None:
    """As PUNet's trainers: the body by itself, then class by class through the wrapped network."""
    unwrap(network).body(images).square().mean().backward()
    for name in ("a", "b"):
        network(images, [name]).square().mean().backward()


KINDS = {"prompts": (prompted_unet, of_prompts), "classes": (punet, of_classes)}


def gradients(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: one.grad for name, one in network.named_parameters() if one.grad is not None}


def one_rank(rank: int, folder: str, images: torch.Tensor, kind: str) -> None:
    """This rank's half of the batch through the wrapped network; writes the averaged gradients."""
    with among_ranks(rank, 2, folder):
        build, backward = KINDS[kind]
        network = DistributedDataParallel(build())
        network.require_forward_param_sync = False  # as SLPT's trainer, or a lone forward pass would wait
        assert not network.will_sync_module_buffers()
        with network.no_sync():
            backward(network, images.chunk(2)[rank])
        lone = nn.Parameter(torch.zeros(1))
        if rank == 0:
            lone.grad = torch.ones(1)
        average_gradients([*network.parameters(), lone])
        torch.save(gradients(unwrap(network)), Path(folder) / f"{rank}.pt")
        torch.save(lone.grad, Path(folder) / f"lone_{rank}.pt")
