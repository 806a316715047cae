"""Gradients in distributed training, where several backward passes make one step.

Must not import anything of this package but the networks.
"""

__all__ = ["average_gradients", "unwrap"]

from collections.abc import Iterable
from typing import Any

from torch import distributed as dist
from torch import nn
from torch._dynamo import OptimizedModule
from torch.nn.parallel import DistributedDataParallel


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all ranks.

    DistributedDataParallel does so within a backward pass, and takes a parameter without gradient in it for
    an error. Here each prompt's pass leaves out the other prompts' heads, so the passes run under
    ``no_sync`` and the (few) gradients are averaged once, at the end.
    """
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


def unwrap(network: Any) -> Any:
    """The network inside the wrappers of DistributedDataParallel and torch.compile."""
    while isinstance(network, (DistributedDataParallel, OptimizedModule)):
        network = network.module if isinstance(network, DistributedDataParallel) else network._orig_mod
    return network
