"""Prompts at the input alone: what SLPT is without its updaters, for the ablation.

Must know nothing of U-Nets.
"""

__all__ = ["InputPrompt"]

import torch
from torch import Tensor, nn

from nnunet_slpt.networks.dimensions import resize


class InputPrompt(nn.Module):
    """Adds the prompt to the image: X_k = X + g ⊙ P_k.

    The gain g, one number for each channel of the image, is tuned; it starts at zero, so an untuned network
    sees the image bit for bit, as with updaters.

    Args:
        channels: C, of the image.

    References:
        Bahng et al., "Exploring Visual Prompts" (arXiv:2203.17274): prompts that are added to pixels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        """Image (B, C, *S) and prompt (B, 1, *S'), on any grid, to (B, C, *S)."""
        gain = self.gain.view(-1, *[1] * (x.ndim - 2))
        return torch.addcmul(x, gain.to(x.dtype), resize(prompt.to(x.dtype), x.shape[2:]))
