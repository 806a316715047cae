"""Attention within windows, to which the tokens of classes join.

Owns one attention sub-block; how windows are cut is in ``windows``.
"""

__all__ = ["PromptableAttention", "heads_for"]

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnunet_slpt.networks.punet.bias import OffsetBias
from nnunet_slpt.networks.punet.tokens import SiteTokens
from nnunet_slpt.networks.punet.windows import lay_out

HEADS = 8
# The scores of the fine stages take most of the memory and time, and each head has its own: published are 8
# heads at 32 channels, which makes 4 channels a head.
CHANNELS_A_HEAD = 16
MOST_WINDOWS = 2**16 - 1  # of which CUDA attends to at a time, and can differentiate


def heads_for(channels: int) -> int:
    """Eight heads, or as many fewer as leave each 16 channels and divide them.

    >>> heads_for(384), heads_for(64), heads_for(24), heads_for(8)
    (8, 4, 1, 1)
    """
    most = min(HEADS, max(1, channels // CHANNELS_A_HEAD))
    return max(heads for heads in range(1, most + 1) if channels % heads == 0)


class PromptableAttention(nn.Module):
    """Voxels attend to the voxels of their window and to all tokens, and are added to what they were.

    Keys and values come from the normalised input, not from the queries; tokens are normalised and projected
    by the same layers. Tokens are keys and values only: nothing is computed for them. Without tokens it is
    ordinary (shifted-)window attention.

    Args:
        channels: of the features.
        window: voxels of a window along each axis.
        shifted: move the windows by half their size.

    References:
        PUNet (arXiv:2211.09233): prompt-able shifted-window (PSWin) block.
    """

    def __init__(self, channels: int, window: Sequence[int], shifted: bool) -> None:
        super().__init__()
        self.window = tuple(window)
        self.shifted = shifted
        self.channels = channels
        self.heads = heads_for(channels)
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.bias = OffsetBias(window, self.heads)

    def forward(self, x: Tensor, classes: Sequence[SiteTokens] = ()) -> Tensor:
        """Features to features.

        Args:
            x: (B, C, *S).
            classes: the tokens of each class that is prompted.

        Returns:
            (B, C, *S).
        """
        windows = lay_out(tuple(x.shape[2:]), self.window, self.shifted, x.device)
        voxels = windows.split(self.norm(x.movedim(1, -1)))
        tokens, bias = self._prompt(classes)
        parts = []
        for numbers, mask in windows.groups:
            # The tokens are seen by every voxel, so the mask has zeros for them.
            wide = 0 if mask is None else F.pad(mask, (0, bias.shape[2] - mask.shape[1]))
            parts.append(self._attend(voxels.index_select(1, numbers), tokens, bias + wide))
        attended = torch.cat(parts, 1).index_select(1, windows.order)
        return x + windows.merge(self.out(attended)).movedim(-1, 1)

    def _prompt(self, classes: Sequence[SiteTokens]) -> tuple[Tensor | None, Tensor]:
        """Keys and values of all tokens (M, 2C), and the bias of voxels and tokens (heads, N, N + M)."""
        bias = self.bias()
        if not classes:
            return None, bias
        tokens = self.key_value(self.norm(torch.cat([one.tokens for one in classes])))
        of_tokens = torch.cat([one.bias() for one in classes], 1)
        return tokens, torch.cat([bias, of_tokens[:, None].expand(-1, bias.shape[1], -1)], 2)

    def _attend(self, voxels: Tensor, tokens: Tensor | None, bias: Tensor) -> Tensor:
        """Attention in windows of one kind: (B, W, N, C) to the same."""
        query, key_value = self.query(voxels), self.key_value(voxels)
        if tokens is not None:
            key_value = torch.cat([key_value, tokens.expand(*key_value.shape[:2], -1, -1)], 2)
        key, value = key_value.chunk(2, -1)
        queries, keys, values = (torch.split(self._by_head(x), MOST_WINDOWS) for x in (query, key, value))
        bias = bias[None].to(query.dtype)
        parts = zip(queries, keys, values, strict=True)
        done = [F.scaled_dot_product_attention(*part, bias) for part in parts]
        attended = torch.cat(done) if len(done) > 1 else done[0]
        return attended.transpose(1, 2).reshape(voxels.shape)

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, W, L, C) to (B·W, heads, L, C/heads)."""
        windows, voxels = x.shape[0] * x.shape[1], x.shape[2]
        return x.reshape(windows, voxels, self.heads, -1).transpose(1, 2)
