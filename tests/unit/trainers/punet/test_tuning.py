"""The optimizer that each way to tune a PUNet has of its own."""

from __future__ import annotations

import pytest

from nnunet_slpt.config import PUNetConfig
from nnunet_slpt.trainers.punet.tuning import nnUNetTrainerPUNet


@pytest.mark.parametrize(
    ("tuned", "rate", "decay"),
    [
        ("tokens", 0.03, 0),
        ("head", 0.03, 0),
        ("bias_norm", 0.01, 0),
        ("adapter", 0.01, 0),
        ("decoder", 0.003, 0.01),
        ("full", 0.003, 0.01),
    ],
)
def test_it_is_the_one_of_the_reference(tuned: str, rate: float, decay: float) -> None:
    recipe = nnUNetTrainerPUNet.recipe_for(PUNetConfig(tuned=tuned))
    assert (recipe.optimizer, recipe.learning_rate, recipe.weight_decay) == ("AdamW", rate, decay)
