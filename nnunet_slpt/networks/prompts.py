"""The meta prompt and the K prompts that grow out of it.

Owns how prompts are made and kept apart; what they do to features is in ``updater``.
"""

__all__ = ["DiversifiedPrompts", "signature", "signature_length"]

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnunet_slpt.networks.dimensions import convolve, resize

EPSILON = 1e-5
RARE = 1e-14  # below the variance of a probability map in which anything is foreground
HIDDEN = 4  # channels of an UpConv between its convolutions
CELLS = 4  # of a signature, along each axis


class DiversifiedPrompts(nn.Module):
    """K prompts of the patch's size from one learnable meta prompt of half that size.

    Each prompt has an UpConv of its own: upsample, 3×3(×3) convolution to a few channels, SiLU,
    3×3(×3) convolution to one channel. The nonlinearity lets a prompt single out a level of the meta
    prompt (core, rim, surroundings); with linear UpConvs all prompts stay blurred copies of each other.

    A prompt leaves this module with mean 0 and variance 1 over the patch. That bounds it, and takes from
    the diversity loss the easy ways out (a constant offset, a large norm).

    References:
        SLPT (arXiv:2308.04911), section 2.2: P_k = UpConv_k(P_M).
    """

    def __init__(self, patch_size: Sequence[int], prompts: int) -> None:
        super().__init__()
        self.patch_size = tuple(patch_size)
        half = [math.ceil(size / 2) for size in patch_size]
        kernel = [min(3, 2 * (size // 2) + 1) for size in patch_size]
        self.meta = nn.Parameter(torch.zeros(1, 1, *half))
        self.expand_weight = nn.Parameter(torch.empty(prompts, HIDDEN, 1, *kernel))
        self.expand_bias = nn.Parameter(torch.zeros(prompts, HIDDEN))
        self.reduce_weight = nn.Parameter(torch.empty(prompts, 1, HIDDEN, *kernel))
        self.reset_parameters()

    @property
    def count(self) -> int:
        """K."""
        return self.expand_weight.shape[0]

    def reset_parameters(self) -> None:
        """Draw the K UpConvs anew, each from the standard initialisation of a convolution."""
        for weight in (*self.expand_weight, *self.reduce_weight):
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
        nn.init.uniform_(self.expand_bias, -1.0, 1.0)

    @torch.no_grad()
    def start_from(self, foreground_probability: Tensor) -> None:
        """Set the meta prompt to the foreground probability at each place of a patch, in units of its spread.

        The prompts are the same whatever the unit, but an optimizer's steps are not: small lesions have
        probabilities of a thousandth, and one step of AdamW, as large for every voxel, would write over them.

        Args:
            foreground_probability: (*patch), in [0, 1].
        """
        probability = resize(foreground_probability[None, None].to(self.meta), self.meta.shape[2:])
        self.meta.copy_(_standardise(probability, RARE))

    @torch.no_grad()
    def start_from_noise(self, seed: int) -> None:
        """Set the meta prompt to noise, which tells nothing of where foreground is; for the ablation."""
        noise = torch.randn(self.meta.shape, generator=torch.Generator().manual_seed(seed))
        self.meta.copy_(noise)

    def forward(self) -> Tensor:
        """The K prompts, each with mean 0 and variance 1: (K, 1, *patch)."""
        # The UpConvs should see a map of unit spread, however rare foreground is.
        upsampled = _standardise(resize(self.meta, self.patch_size))
        hidden = F.silu(convolve(upsampled, self.expand_weight.flatten(0, 1), self.expand_bias.flatten()))
        maps = convolve(hidden, self.reduce_weight.flatten(0, 1), groups=self.count)
        return _standardise(maps.transpose(0, 1))


def _standardise(maps: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Mean 0 and variance 1 over the grid, for each of (K, 1, *S); in float32."""
    maps = maps.float()
    axes = tuple(range(1, maps.ndim))
    centred = maps - maps.mean(axes, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(axes, keepdim=True) + epsilon)


def signature(prompts: Tensor) -> Tensor:
    """What a prompt looks like from afar: its means over 4 cells along each axis, in units of their spread.

    Args:
        prompts: (K, 1, *S).

    Returns:
        (K, 4^axes), of mean square 1; zero for a prompt of zeros.
    """
    with torch.autocast(prompts.device.type, enabled=False):  # which would multiply in half precision
        means = prompts.float()
        for axis in range(2, prompts.ndim):  # torch's adaptive pooling in 3D knows no MPS
            means = (means.movedim(axis, -1) @ _cells(means.shape[axis], means.device)).movedim(-1, axis)
    cells = means.flatten(1)
    return cells * torch.rsqrt(cells.square().mean(1, keepdim=True) + EPSILON)


def _cells(size: int, device: torch.device) -> Tensor:
    """(size, CELLS): what each place of an axis gives to the mean over each cell, which may share places."""
    cell, place = torch.arange(CELLS, device=device), torch.arange(size, device=device)[:, None]
    start, end = cell * size // CELLS, ((cell + 1) * size + CELLS - 1) // CELLS
    return ((place >= start) & (place < end)) / (end - start)


def signature_length(axes: int) -> int:
    """Numbers in a signature of a 2D or 3D prompt."""
    return int(CELLS**axes)
