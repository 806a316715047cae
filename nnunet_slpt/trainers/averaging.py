"""The mean of the tuned weights over the steps of a training: what is validated, saved and predicted with.

Owns how the mean is taken and where it is kept. Must not import anything of this package.
"""

__all__ = ["WeightAverage"]

from typing import Any

import torch
from torch.optim import Optimizer

EXPONENT = 3  # step t counts about t^3 times: half of the mean comes from the last sixth of the steps
KEPT, STEPS = "averaging_kept", "averaging_steps"


class WeightAverage:
    """A running mean of an optimizer's weights, in which later steps count more.

    With few labelled cases the weights do not settle: each batch pulls them another way. Their mean lies in
    the middle, and predicts better on other cases. After step t the mean moves by (c + 1) / (t + c) towards
    the weights, c being ``EXPONENT``: no length is to be set, and what the first steps left fades.

    The mean is kept in the optimizer's parameter groups, which a checkpoint holds already. Within an epoch
    the network has the weights that are trained and the groups the mean; between epochs it is the other way
    round, so that whoever validates, saves or predicts has the mean, and a continued run has both.

    Statistics of a batch normalisation that is tuned are those of the trained weights, not of the mean.

    Args:
        optimizer: that takes the steps, over all weights that are to be averaged.

    References:
        Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization" (arXiv:1212.1824),
        section 4.1: polynomial-decay averaging. Izmailov et al., "Averaging weights leads to wider optima and
        better generalization" (arXiv:1803.05407).
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        optimizer.register_step_post_hook(self._after_step)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights and those that are kept; before the first step there are none."""
        for group in self.optimizer.param_groups:
            for parameter, kept in zip(group["params"], group.get(KEPT, ()), strict=False):
                there = parameter.clone()
                parameter.copy_(kept)
                kept.copy_(there)

    @torch.no_grad()
    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        for group in optimizer.param_groups:
            group[STEPS] = group.get(STEPS, 0) + 1
            kept = group.setdefault(KEPT, [parameter.detach().clone() for parameter in group["params"]])
            share = (EXPONENT + 1) / (group[STEPS] + EXPONENT)
            torch._foreach_lerp_(kept, [parameter.detach() for parameter in group["params"]], share)
