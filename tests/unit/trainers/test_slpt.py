"""SLPT's trainer, where no task is needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nnunet_slpt.trainers import nnUNetTrainerSLPT
from nnunet_slpt.trainers.tuning import TuningTrainer


def test_on_several_gpus_a_rank_may_predict_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TuningTrainer, "initialize", lambda _: None)
    trainer: Any = object.__new__(nnUNetTrainerSLPT)
    trainer.was_initialized = trainer.is_ddp = True
    trainer.network = SimpleNamespace(follow_normalisations=lambda: None, require_forward_param_sync=True)
    trainer.initialize()
    assert not trainer.network.require_forward_param_sync  # ddp_rank.py says what that does
