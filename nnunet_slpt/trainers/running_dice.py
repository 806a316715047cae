"""The Dice that nnU-Net follows from epoch to epoch to keep the best one: also where an epoch has none.

Must not import a trainer.
"""

__all__ = ["log_validation"]

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import distributed as dist


def log_validation(trainer: Any, outputs: Sequence[dict[str, Any]]) -> None:
    """What nnU-Net's ``on_validation_epoch_end`` logs; but an epoch without any Dice changes no mean.

    Before the first Dice it is 0. A few validation cases may all be without foreground. nnU-Net would average
    "not a number" into every epoch to come, and keep the first one as the best.

    Args:
        trainer: nnU-Net's; its logger is told.
        outputs: of its validation steps on this rank.
    """
    outputs = _of_all_ranks(outputs) if trainer.is_ddp else outputs
    tp, fp, fn = (sum(one[f"{key}_hard"] for one in outputs) for key in ("tp", "fp", "fn"))
    size = 2 * tp + fp + fn
    dice = np.divide(2 * tp, size, out=np.full(np.shape(size), np.nan), where=size > 0)
    if np.isfinite(dice).any():
        mean = float(np.nanmean(dice))
    else:
        trainer._best_ema = trainer._best_ema or 0.0  # it is above no epoch's
        earlier = trainer.logger.get_value("ema_fg_dice", step=None)
        mean = float(earlier[-1]) if earlier else 0.0
    trainer.logger.log("mean_fg_dice", mean, trainer.current_epoch)
    trainer.logger.log("dice_per_class_or_region", dice.tolist(), trainer.current_epoch)
    trainer.logger.log("val_losses", np.mean([one["loss"] for one in outputs]), trainer.current_epoch)


def _of_all_ranks(outputs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    ranks: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(ranks, list(outputs))
    return [one for rank in ranks for one in rank]
