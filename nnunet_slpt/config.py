"""The prompt configuration: the block ``plans["slpt"]``, validated once.

It lives in the plans file because inference rebuilds the network from the plans alone.
Must not import torch or nnU-Net.
"""

__all__ = ["PromptConfig"]

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnunet_slpt.errors import ConfigError, one_of

PLANS_KEY = "slpt"
OPTIMIZERS = ("AdamW", "SGD")

# (alpha, beta) weigh false positives and false negatives: neutral, recall-seeking, precision-seeking.
TVERSKY_PAIRS = ((0.5, 0.5), (0.3, 0.7), (0.7, 0.3))


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """Everything that can be set about prompt tuning, with the defaults for plans without a block.

    Args:
        prompts: K, the number of diversified prompts, each with its own heads.
        prompt_channels: channels of a prompt between two updaters.
        bottleneck: width of an updater's feature branch, as a share of the stage's channels.
        tversky: one (alpha, beta) per prompt; repeated in turn when shorter than ``prompts``.
        weight_tversky: lambda 1 of the loss.
        weight_cross_entropy: lambda 2 of the loss.
        weight_diversity: lambda 3 of the loss.
        prompts_per_step: prompts trained in one optimizer step; ``None`` trains all of them.
        optimizer: ``AdamW`` or ``SGD`` (Nesterov, momentum 0.99, as nnU-Net).
        learning_rate: initial rate of the polynomial schedule.
        weight_decay: L2 decay of the tuned weights.
        epochs: number of epochs.
        iterations_per_epoch: optimizer steps an epoch.
        validation_iterations_per_epoch: validation batches an epoch.
        seed: seed of initialisation and of every epoch.
        region_based: labels are overlapping regions (sigmoid); written by the trainer.
        pretrained_checkpoint: path of the pretrained checkpoint, used without ``-pretrained_weights``.

    Raises:
        ConfigError: a key is unknown or a value is out of range.

    References:
        SLPT (arXiv:2308.04911), sections 2.1 and 2.2: K, lambda, (alpha, beta).
    """

    prompts: int = 3
    prompt_channels: int = 8
    bottleneck: float = 0.25
    tversky: tuple[tuple[float, float], ...] = TVERSKY_PAIRS
    weight_tversky: float = 1.0
    weight_cross_entropy: float = 1.0
    weight_diversity: float = 1.0
    prompts_per_step: int | None = None
    optimizer: str = "AdamW"
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    epochs: int = 200
    iterations_per_epoch: int = 250
    validation_iterations_per_epoch: int = 50
    seed: int = 0
    region_based: bool = False
    pretrained_checkpoint: str | None = None
