"""From the gradients of several backward passes to one optimizer step, in distributed training too.

Must not import anything of this package but the networks.
"""

__all__ = ["average_gradients", "take_step", "unwrap"]

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import distributed as dist
from torch import nn
from torch._dynamo import OptimizedModule
from torch.nn.parallel import DistributedDataParallel

GRADIENT_NORM = 12  # as nnU-Net


def take_step(
    parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer, scaler: Any, distributed: bool
) -> bool:
    """Use the gradients, unless they are not finite.

    Args:
        parameters: all that are tuned.
        optimizer: over these.
        scaler: the ``GradScaler`` that scaled the losses, or ``None``.
        distributed: average over ranks first.

    Returns:
        Whether the gradients were finite.
    """
    if distributed:
        average_gradients(parameters)
    if scaler is not None:
        scaler.unscale_(optimizer)
    finite = bool(torch.isfinite(nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)))
    if scaler is not None:
        scaler.step(optimizer)  # skips a step that is not finite
        scaler.update()
    elif finite:
        optimizer.step()
    return finite


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all ranks.

    DistributedDataParallel does so within a backward pass, and takes a parameter without gradient in it for
    an error. Here each prompt's pass leaves out the other prompts' heads, so the passes run under
    ``no_sync`` and the (few) gradients are averaged once, at the end. Where one rank has a gradient and
    another has none, as for a class that no patch of its batch is annotated for, none counts as 0.
    """
    parameters = list(parameters)
    used = torch.tensor([float(one.grad is not None) for one in parameters], device=parameters[0].device)
    dist.all_reduce(used)
    mine = [one for one, ranks in zip(parameters, used.tolist(), strict=True) if ranks]
    if not mine:
        return
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in mine]
    together = torch.cat([gradient.flatten() for gradient in gradients])  # one message instead of hundreds
    dist.all_reduce(together)
    together /= dist.get_world_size()
    for parameter, mean in zip(mine, torch.split(together, [one.numel() for one in mine]), strict=True):
        parameter.grad = mean.view_as(parameter)


def unwrap(network: Any) -> Any:
    """The network inside the wrappers of DistributedDataParallel and torch.compile."""
    while isinstance(network, (DistributedDataParallel, OptimizedModule)):
        network = network.module if isinstance(network, DistributedDataParallel) else network._orig_mod
    return network
