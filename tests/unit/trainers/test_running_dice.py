"""As nnU-Net's own where there is foreground; where there is none the mean stays, and no epoch is best."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nnunetv2.training.logging.nnunet_logger import MetaLogger
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_slpt.trainers import running_dice
from nnunet_slpt.trainers.running_dice import log_validation


def trainer() -> Any:
    logger = MetaLogger(output_folder=None, resume=False)
    return SimpleNamespace(is_ddp=False, current_epoch=0, logger=logger, _best_ema=None)


def step(*counts: tuple[int, int, int], loss: float = 0.5) -> dict[str, Any]:
    tp, fp, fn = (np.array(column) for column in zip(*counts, strict=True))
    return {"tp_hard": tp, "fp_hard": fp, "fn_hard": fn, "loss": np.array(loss)}


def epochs(end: Any, *outputs: list[dict[str, Any]]) -> Any:
    made = trainer()
    for number, one in enumerate(outputs):
        made.current_epoch = number
        end(made, one)
    return made


SOME = [step((5, 1, 2), (0, 0, 0)), step((3, 0, 4), (2, 2, 0), loss=0.25)]
NOTHING = [step((0, 0, 0), (0, 0, 0))]


def test_the_same_as_nnunets_where_something_is_there() -> None:
    ours, theirs = (
        epochs(end, SOME, SOME) for end in (log_validation, nnUNetTrainer.on_validation_epoch_end)
    )
    for key in ("mean_fg_dice", "ema_fg_dice", "dice_per_class_or_region", "val_losses"):
        told = [np.array(one.logger.get_value(key, step=None)) for one in (ours, theirs)]
        np.testing.assert_allclose(*told)


def test_ranks_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(ranks: list[Any], mine: Any) -> None:
        ranks[:] = [mine, SOME[1:]]

    monkeypatch.setattr(running_dice.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(running_dice.dist, "all_gather_object", gather)
    alone, made = epochs(log_validation, SOME), trainer()
    made.is_ddp = True
    log_validation(made, SOME[:1])
    for key in ("mean_fg_dice", "dice_per_class_or_region", "val_losses"):
        np.testing.assert_allclose(*(one.logger.get_value(key, step=0) for one in (alone, made)))


def test_an_epoch_without_any_dice_changes_no_mean() -> None:
    made = epochs(log_validation, SOME, NOTHING, SOME)
    means = made.logger.get_value("ema_fg_dice", step=None)
    assert means[0] == means[1] == pytest.approx(means[2])
    assert np.isnan(made.logger.get_value("dice_per_class_or_region", step=1)).all()


def test_a_first_epoch_without_any_dice_is_not_the_best() -> None:
    made = epochs(log_validation, NOTHING)
    assert made._best_ema == made.logger.get_value("ema_fg_dice", step=None)[0] == 0
