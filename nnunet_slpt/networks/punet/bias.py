"""What is added to attention scores whatever the query is: learned from places and from tokens.

Owns both halves of the bias; what is masked is in ``windows``.
"""

__all__ = ["EMBEDDING", "OffsetBias", "TokenBias"]

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EMBEDDING = 16  # numbers that describe an offset or a token


class OffsetBias(nn.Module):
    """Voxel to voxel: b_h(i, j) = w_h · Σ_a e_a(i_a − j_a), with an embedding e_a for each offset on axis a.

    Args:
        window: voxels of a window along each axis.
        heads: of the attention.

    References:
        PUNet (arXiv:2211.09233): heterogeneous bias scores.
    """

    def __init__(self, window: Sequence[int], heads: int) -> None:
        super().__init__()
        self.window = tuple(window)
        self.embeddings = nn.ParameterList(
            [torch.randn(2 * size - 1, EMBEDDING) * EMBEDDING**-0.5 for size in window]
        )
        self.weights = nn.Parameter(torch.randn(heads, EMBEDDING) * EMBEDDING**-0.5)

    def forward(self) -> Tensor:
        """The bias of all pairs in a window of N voxels, the last axis counted first: (heads, N, N)."""
        axes = [torch.arange(size, device=self.weights.device) for size in self.window]
        places = torch.cartesian_prod(*axes).reshape(-1, len(axes))
        offsets = places[:, None] - places[None]
        per_axis = [
            (self.weights @ embedding.T)[:, offsets[..., axis] + size - 1]
            for axis, (embedding, size) in enumerate(zip(self.embeddings, self.window, strict=True))
        ]
        return torch.stack(per_axis).sum(0)


class TokenBias(nn.Module):
    """Voxel to token of one class c: b_h(t) = v_{c,h} · u_{c,t}; the same for every voxel.

    The weights v are the class's own, unlike the paper's, where all classes share them: tuning a new class
    must leave the others as they are.

    Args:
        tokens: T.
        heads: of the attention.

    References:
        PUNet (arXiv:2211.09233): heterogeneous bias scores.
    """

    def __init__(self, tokens: int, heads: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(tokens, EMBEDDING) * EMBEDDING**-0.5)
        self.weights = nn.Parameter(torch.randn(heads, EMBEDDING) * EMBEDDING**-0.5)

    def forward(self) -> Tensor:
        """The bias of every token: (heads, T)."""
        return self.weights @ self.embeddings.T
