"""Where the meta prompt comes from: the masks of the training cases, and nothing else."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
import torch


def meta_prompt(task: Any, drawn_before: int = 0) -> torch.Tensor:
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.initialize()  # which seeds all generators
    np.random.rand(drawn_before)
    trainer.on_train_start()
    meta: torch.Tensor = trainer.prompted.prompts.meta.detach().clone()
    return meta


def replace_case(task: Any, case: int) -> None:
    """Its image and label by those of the first case."""
    for ending in (".b2nd", "_seg.b2nd", ".pkl"):
        shutil.copy(task.cases / f"case_0{ending}", task.cases / f"case_{case}{ending}")


def test_it_is_a_map_of_unit_spread(task: Any) -> None:
    meta = meta_prompt(task)
    assert float(meta.mean()) == pytest.approx(0, abs=1e-5)
    assert float(meta.std()) == pytest.approx(1, abs=1e-2)


def test_it_depends_on_training_cases_alone(task: Any) -> None:
    before = meta_prompt(task)
    replace_case(task, 5)  # validation
    assert torch.equal(before, meta_prompt(task))
    replace_case(task, 3)  # training
    assert not torch.equal(before, meta_prompt(task))


def test_it_does_not_depend_on_what_was_drawn_before(task: Any) -> None:
    assert torch.equal(meta_prompt(task), meta_prompt(task, drawn_before=7))
