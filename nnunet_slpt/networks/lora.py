"""Low-rank adaptation (LoRA) of convolutions, the baseline that adds weights instead of choosing some.

Must know nothing of U-Nets.
"""

__all__ = ["add_lora", "is_lora", "without_lora"]

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# How torch's parametrizations name what is added to a weight, and the weight itself.
ADDED, ORIGINAL = "parametrizations.weight.0.", "parametrizations.weight.original"


def add_lora(network: nn.Module, rank: int) -> None:
    """Add a product of two small matrices to the weight of each convolution.

    It is a parametrization of the weight, so stride, groups, dilation and transposition stay the layer's own
    business, and a layer that nnU-Net registers under several names gets it under all of them. The package
    `peft` replaces layers instead, by their first name alone, while nnU-Net calls them by another: what it
    adds would be trained to no effect. docs/reference/tuning-methods.md tells what was tried.

    Args:
        network: changed; its answers stay the same until the matrices are tuned.
        rank: of the product; a layer with fewer rows gets as many.
    """
    for module in list(network.modules()):
        if isinstance(module, CONVOLUTIONS):
            parametrize.register_parametrization(module, "weight", _LowRank(module.weight, rank))


def is_lora(name: str) -> bool:
    """Whether a tensor of this name was added by :func:`add_lora`.

    >>> is_lora("stages.0.conv.parametrizations.weight.0.up"), is_lora("stages.0.conv.weight")
    (True, False)
    """
    return ADDED in name


def without_lora(name: str) -> str:
    """The name that a tensor has without :func:`add_lora`.

    >>> without_lora("stages.0.conv.parametrizations.weight.original")
    'stages.0.conv.weight'
    """
    return name.replace(ORIGINAL, "weight")


class _LowRank(nn.Module):
    """W + U D, with W as a matrix of one row for each entry of its first axis; U starts at zero.

    References:
        Hu et al., "LoRA" (arXiv:2106.09685), section 4.1, with alpha equal to the rank.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        rank = min(rank, rows, columns)
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(torch.empty(rank, columns))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)  # as the paper's authors

    def forward(self, weight: Tensor) -> Tensor:
        """The weight that the layer uses, of the same shape."""
        return weight + (self.up @ self.down).view_as(weight)
