"""What one process of test_tversky.py's distributed test does."""

import json
from pathlib import Path

import torch
from ranks import among_ranks

from nnunet_slpt.losses import TverskyLoss


def one_rank(rank: int, folder: str, logits: torch.Tensor, target: torch.Tensor) -> None:
    """This rank's sample of the batch, through a parameter that all ranks share; writes loss and gradient."""
    with among_ranks(rank, len(logits), folder):
        scale = torch.ones(logits.shape[1], 1, 1, 1, requires_grad=True)
        mine = slice(rank, rank + 1)
        loss = TverskyLoss(0.3, 0.7, batch_dice=True, gather=True)(logits[mine] * scale, target[mine])
        loss.backward()
        assert scale.grad is not None
        result = {"loss": loss.item(), "gradient": scale.grad.flatten().tolist()}
        (Path(folder) / f"{rank}.json").write_text(json.dumps(result))
