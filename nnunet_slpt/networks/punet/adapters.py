"""Adapters: small bottlenecks behind the stages, the tuning that token prompts are compared with.

Owns the bottleneck; where it sits is the body's business.
"""

__all__ = ["Adapter"]

from torch import Tensor, nn
from torch.nn import functional

ADAPTER_WIDTH = 8


class Adapter(nn.Module):
    """x + up(gelu(down(norm(x)))), for every voxel by itself; starts as the identity.

    Args:
        channels: of the features.

    References:
        Houlsby et al., "Parameter-efficient transfer learning for NLP" (arXiv:1902.00751), figure 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.down = nn.Linear(channels, ADAPTER_WIDTH)
        self.up = nn.Linear(ADAPTER_WIDTH, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S) to (B, C, *S)."""
        change: Tensor = self.up(functional.gelu(self.down(self.norm(x.movedim(1, -1)))))
        return x + change.movedim(-1, 1)
