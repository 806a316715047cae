"""What a run is watched for: prompts that collapse, a loss that is not finite, batches without labels.

Owns when to warn and with which remedy; the trainer decides where the words go.
"""

__all__ = ["RunWatch", "disagreement", "has_foreground"]

from dataclasses import dataclass

import torch
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from torch import Tensor

EMPTY_BATCHES_TO_WARN = 100
COLLAPSED_EPOCHS_TO_WARN = 3
COLLAPSED_COSINE = 0.95
COLLAPSED_DISAGREEMENT = 1e-3


def disagreement(logits: Tensor, region_based: bool) -> float:
    """How far the K segmentations lie apart: 1 − Dice of their foreground, mean over pairs of prompts.

    Args:
        logits: (K, B, C, *S).
        region_based: channels are overlapping regions without a background channel.

    Returns:
        0 (all alike, or no foreground at all) to 1 (nothing in common); 0 for K = 1.
    """
    if region_based:
        masks = (logits > 0).flatten(1).float()
    else:
        classes = torch.arange(1, logits.shape[2], device=logits.device)
        masks = (logits.argmax(2).flatten(1)[:, None] == classes[:, None]).flatten(1).float()
    overlap = masks @ masks.T
    sizes = overlap.diagonal()
    dice = 2 * overlap / (sizes[:, None] + sizes).clamp_min(1)
    dice[(sizes[:, None] + sizes) == 0] = 1
    pairs = torch.triu_indices(len(dice), len(dice), 1)
    return float((1 - dice[pairs[0], pairs[1]]).mean()) if pairs.numel() else 0.0


def has_foreground(target: Tensor, labels: LabelManager) -> bool:
    """Whether any voxel that counts is foreground.

    Args:
        target: (B, K, C, *S), a label map (C = 1), or regions and behind them the mask of ignored voxels.
        labels: tells which of the two it is, and the ignore label.
    """
    if not labels.has_ignore_label:
        return bool((target > 0).any())
    if labels.has_regions:
        return bool((target[:, :, :-1] > 0).any())
    return bool(((target > 0) & (target != labels.ignore_label)).any())


@dataclass
class RunWatch:
    """Counts what goes wrong, and says it once per spell.

    Args:
        unusable_steps_to_warn: steps in a row without a usable gradient.
    """

    unusable_steps_to_warn: int = 1
    empty_batches: int = 0
    unusable_steps: int = 0
    collapsed_epochs: int = 0

    def after_step(self, finite: bool, has_foreground: bool) -> list[str]:
        """The warnings about this training step that are due.

        Args:
            finite: the gradient could be used.
            has_foreground: any target of the batch has foreground.
        """
        self.empty_batches = 0 if has_foreground else self.empty_batches + 1
        self.unusable_steps = 0 if finite else self.unusable_steps + 1
        due = []
        if self.unusable_steps == self.unusable_steps_to_warn:
            due.append(
                "WARNING: the loss or its gradient is not finite; such steps are skipped. If it goes on, "
                'lower plans["slpt"]["learning_rate"] and look for NaN or infinite voxels in the images.'
            )
        if self.empty_batches == EMPTY_BATCHES_TO_WARN:
            due.append(
                f"WARNING: no foreground in the last {EMPTY_BATCHES_TO_WARN} training batches. Check that "
                "the labels lie where the images do, and raise the plans' patch size if foreground is rare."
            )
        return due

    def after_epoch(self, cosines: Tensor, disagreement: float) -> str | None:
        """A warning if two prompts have become one, with the same sign or the opposite one, or all of them.

        Args:
            cosines: (K, K), pairwise, of centred prompts.
            disagreement: of the K predictions on validation patches, 0 to 1.
        """
        if len(cosines) < 2:
            return None
        pairs = cosines[tuple(torch.triu_indices(len(cosines), len(cosines), 1))]
        closest = float(pairs[pairs.abs().argmax()])
        collapsed = abs(closest) > COLLAPSED_COSINE or disagreement <= COLLAPSED_DISAGREEMENT
        # In the first epochs nothing may be predicted at all, on which all prompts agree.
        self.collapsed_epochs = self.collapsed_epochs + 1 if collapsed else 0
        if self.collapsed_epochs != COLLAPSED_EPOCHS_TO_WARN:
            return None
        return (
            f"WARNING: prompts collapse into one (cosine of the closest two {closest:.3f}, disagreement "
            f"{disagreement:.4f}): they will not tell which cases are hard. Raise "
            'plans["slpt"]["weight_diversity"], or set more different pairs in plans["slpt"]["tversky"].'
        )
