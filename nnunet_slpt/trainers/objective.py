"""The loss of one prompt over all outputs of deep supervision, as nnU-Net's plans and labels ask for it.

Owns how ``losses`` and nnU-Net's conventions meet. Must not import the networks.
"""

__all__ = ["deep_supervision_weights", "prompt_objective"]

import numpy as np
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from torch import nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.losses import PromptLoss


def prompt_objective(
    pair: tuple[float, float],
    config: PromptConfig,
    labels: LabelManager,
    *,
    batch_dice: bool,
    gather: bool,
    outputs: int,
) -> nn.Module:
    """Tversky plus cross-entropy, over one output or the list that deep supervision gives.

    Args:
        pair: (alpha, beta).
        config: the loss weights.
        labels: regions and ignore label.
        batch_dice: Tversky counts over the batch, as the plans say.
        gather: over the batches of all ranks.
        outputs: how many outputs the network returns; 0 without deep supervision.
    """
    loss: nn.Module = PromptLoss(
        *pair,
        weight_tversky=config.weight_tversky,
        weight_cross_entropy=config.weight_cross_entropy,
        regions=labels.has_regions,
        ignore_label=labels.ignore_label,
        batch_dice=batch_dice,
        gather=gather,
    )
    if outputs == 0:
        return loss
    wrapped: nn.Module = DeepSupervisionWrapper(loss, deep_supervision_weights(outputs))
    return wrapped


def deep_supervision_weights(outputs: int) -> list[float]:
    """nnU-Net's weights (nnUNetTrainer._build_loss): halved from output to output, nothing for the coarsest.

    >>> deep_supervision_weights(3)
    [0.6666666666666666, 0.3333333333333333, 0.0]
    >>> deep_supervision_weights(1)
    [1.0]
    """
    weights = 0.5 ** np.arange(outputs)
    if outputs > 1:
        weights[-1] = 0
    return [float(weight) for weight in weights / weights.sum()]
