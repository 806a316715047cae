"""What one process of test_tversky.py's distributed test does."""

import json
import os
from pathlib import Path

import torch

from nnunet_slpt.losses import TverskyLoss


def one_rank(rank: int, folder: str, logits: torch.Tensor, target: torch.Tensor) -> None:
    """This rank's sample of the batch, through a parameter that all ranks share; writes loss and gradient."""
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(f"{folder}/store", len(logits))
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=len(logits))
    scale = torch.ones(logits.shape[1], 1, 1, 1, requires_grad=True)
    mine = slice(rank, rank + 1)
    loss = TverskyLoss(0.3, 0.7, batch_dice=True, gather=True)(logits[mine] * scale, target[mine])
    loss.backward()
    assert scale.grad is not None
    result = {"loss": loss.item(), "gradient": scale.grad.flatten().tolist()}
    (Path(folder) / f"{rank}.json").write_text(json.dumps(result))
    # Gloo aborts a rank that is left alone, and now and then one that takes its threads down in order.
    store.set(f"done {rank}", "")
    store.wait([f"done {one}" for one in range(len(logits))])
    os._exit(0)
