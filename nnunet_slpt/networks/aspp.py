"""Multi-scale context and channel attention: the two blocks inside a feature-aware prompt updater.

Must know nothing of prompts.
"""

__all__ = ["ASPP", "SqueezeExcitation"]

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnunet_slpt.networks.dimensions import convolve, separable_kernel

REDUCTION = 4  # of the channels, where they are squeezed


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling with depthwise branches, one per dilation, and a global one.

    The branches look at the same channels over growing neighbourhoods and are summed after a 1×1(×1) mix of
    each, which is what concatenating them and mixing with one 1×1(×1) convolution does.
    A dilation that reaches beyond the grid sees padding alone, so it is shrunk to fit at run time, along each
    axis by itself: a coarse grid of a thick-sliced scan is short across the slices and long within them.

    Args:
        channels: C, that come in and go out.
        kernel: of the branches.
        dilations: of the branches.
        separable: depth-separable branches; plain convolutions otherwise.

    References:
        DeepLabv3 (arXiv:1706.05587), section 3.3.
    """

    def __init__(
        self,
        channels: int,
        kernel: Sequence[int],
        dilations: Sequence[int] = (1, 2, 4),
        separable: bool = True,
    ) -> None:
        super().__init__()
        self.dilations = tuple(dilations)
        split, whole = (dilations, ()) if separable else ((), dilations)
        self.depthwise = nn.ParameterList([torch.empty(channels, *kernel) for _ in split])
        self.pointwise = nn.ParameterList([torch.empty(channels, channels) for _ in split])
        self.plain = nn.ParameterList([torch.empty(channels, channels, *kernel) for _ in whole])
        self.point = nn.Parameter(torch.empty(channels, channels, *[1] * len(kernel)))
        self.whole = nn.Linear(channels, channels)
        self.norm = nn.GroupNorm(1, channels)
        branches = len(self.dilations) + 2
        for weight in self.depthwise:
            nn.init.normal_(weight, std=(2 / weight[0].numel()) ** 0.5)
        for weight in (*self.pointwise, self.point, self.whole.weight):
            nn.init.normal_(weight, std=(1 / (branches * channels)) ** 0.5)
        for weight in self.plain:
            nn.init.normal_(weight, std=(2 / (branches * weight[0].numel())) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to (B, C, *S)."""
        longest = [max(1, (size - 1) // 2) for size in x.shape[2:]]
        axes = tuple(range(2, x.ndim))
        total = convolve(x, self.point) + self.whole(x.mean(axes)).view(*x.shape[:2], *[1] * len(axes))
        for kernel, dilation in zip(self._kernels(), self.dilations, strict=True):
            total = total + convolve(x, kernel, dilation=[min(dilation, most) for most in longest])
        return F.silu(self.norm(total).to(total.dtype))

    def _kernels(self) -> list[Tensor]:
        pairs = zip(self.depthwise, self.pointwise, strict=True)
        return [*(separable_kernel(depthwise, pointwise) for depthwise, pointwise in pairs), *self.plain]


class SqueezeExcitation(nn.Module):
    """Channel attention: each channel is scaled by a gate in (0, 2) that starts near 1.

    References:
        Hu et al., "Squeeze-and-Excitation Networks" (arXiv:1709.01507), equations 2 to 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(4, channels // REDUCTION)
        self.squeeze = nn.Linear(channels, narrow)
        self.excite = nn.Linear(narrow, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to (B, C, *S)."""
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(x.mean(tuple(range(2, x.ndim)))))))
        return x * (2 * gate).view(*gate.shape, *[1] * (x.ndim - 2))
