"""What is added to the scales and shifts of the normalisations inside the frozen network.

Owns how a frozen normalisation runs with them. Must know nothing of U-Nets.
"""

__all__ = ["ScaleShift"]

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INSTANCE = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class ScaleShift(nn.Module):
    """x ⊙ (w + δw) + b + δb, where a frozen normalisation has x ⊙ w + b.

    Not in the paper: an updater sits behind a module and cannot change what the module makes of its input in
    several convolutions. Two numbers a channel and normalisation can. All prompts share them. They start at
    zero, where the network is the pretrained one.

    Args:
        frozen: modules whose normalisations run with what is tuned here from now on. Their own weights, and
            the names of these, stay as they are.

    References:
        Lian et al., "Scaling & shifting your features" (arXiv:2210.08823), section 3.2.
    """

    def __init__(self, frozen: nn.Module) -> None:
        super().__init__()
        layers: list[Any] = [layer for layer in frozen.modules() if _can_be_changed(layer)]
        self.scales = nn.ParameterList([torch.zeros_like(layer.weight) for layer in layers])
        self.shifts = nn.ParameterList([torch.zeros_like(layer.bias) for layer in layers])
        self.run_inside(frozen)

    def run_inside(self, frozen: nn.Module) -> None:
        """Let the normalisations run with what is tuned; again, where others have come in their place.

        ``SyncBatchNorm.convert_sync_batchnorm`` puts such there, one for each name that a layer is registered
        under. They have the weights of the old ones, and are known by these.

        Args:
            frozen: as at first.
        """
        numbers: dict[int, int] = {}
        for module in frozen.modules():
            layer: Any = module
            if _can_be_changed(layer):
                number = numbers.setdefault(id(layer.weight), len(numbers))
                # The layer itself stays in its place, for nnU-Net registers it under several names. And what
                # is tuned is looked up at each call: torch may put other tensors in its place.
                layer.forward = partial(self._normalise, layer, number)

    def _normalise(self, layer: Any, number: int, x: Tensor) -> Tensor:
        """As the layer does in evaluation mode."""
        weight, bias = layer.weight + self.scales[number], layer.bias + self.shifts[number]
        if isinstance(layer, INSTANCE):
            return F.instance_norm(x, weight=weight, bias=bias, eps=layer.eps)
        return F.batch_norm(x, layer.running_mean, layer.running_var, weight, bias, eps=layer.eps)


def _can_be_changed(layer: Any) -> bool:
    """One that has a scale and a shift, and of which we know what it does when it is frozen."""
    instance = isinstance(layer, INSTANCE) and not layer.track_running_stats
    batch = isinstance(layer, BATCH) and layer.track_running_stats
    return (instance or batch) and bool(layer.affine)
