"""Gradients in distributed training, where several backward passes make one step.

Must not import anything of this package but the networks.
"""

__all__ = ["average_gradients", "unwrap"]

from collections.abc import Iterable

import torch
from torch import distributed as dist
from torch import nn
from torch._dynamo import OptimizedModule
from torch.nn.parallel import DistributedDataParallel


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all ranks.

    DistributedDataParallel does so within a backward pass, and takes a parameter without gradient in it for an
    error. Here each prompt's pass leaves out the other prompts' heads, so the passes run under ``no_sync`` and
    the (few) gradients are averaged once, at the end.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    together /= dist.get_world_size()
    for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside the wrappers of DistributedDataParallel and torch.compile."""
    while isinstance(network, (DistributedDataParallel, OptimizedModule)):
        network = network.module if isinstance(network, DistributedDataParallel) else network._orig_mod
    return network
