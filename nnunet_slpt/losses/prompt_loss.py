"""The loss of one prompt's prediction: Tversky plus cross-entropy, on nnU-Net's targets.

Takes one output and one target; deep supervision wraps it from outside.
Must not import nnU-Net: its conventions (training/loss/compound_losses.py) are followed, not called.
"""

__all__ = ["PromptLoss"]

import torch
from torch import nn
from torch.nn import functional

from nnunet_slpt.losses.precision import at_least_single
from nnunet_slpt.losses.tversky import TverskyLoss

_NO_LABEL = -100  # what torch's cross-entropy ignores when nothing is to be ignored


class PromptLoss(nn.Module):
    """weight_tversky * Tversky(alpha, beta) + weight_cross_entropy * cross-entropy.

    Args:
        alpha: Tversky weight of false positives.
        beta: Tversky weight of false negatives.
        weight_tversky: lambda 1, at least 0.
        weight_cross_entropy: lambda 2, at least 0.
        regions: targets are one-hot and may overlap: sigmoid and binary cross-entropy.
        ignore_label: the label of voxels that nobody annotated. In a label map it is that value; for regions
            nnU-Net turns it into the last target channel, and here its value no longer matters.
        batch_dice: Tversky counts over the whole batch, as nnU-Net's plans say.
        gather: with ``batch_dice`` in a distributed run, over the batches of all ranks.

    Raises:
        ConfigError: alpha or beta is negative, or both are zero.

    References:
        SLPT (arXiv:2308.04911), section 2.2: the first two terms of the loss, for one k.
    """

    def __init__(
        self,
        alpha: float,
        beta: float,
        *,
        weight_tversky: float = 1,
        weight_cross_entropy: float = 1,
        regions: bool = False,
        ignore_label: int | None = None,
        batch_dice: bool = False,
        gather: bool = False,
    ) -> None:
        super().__init__()
        self.weight_tversky = weight_tversky
        self.weight_cross_entropy = weight_cross_entropy
        self.regions = regions
        self.ignore_label = ignore_label
        self.tversky = TverskyLoss(alpha, beta, regions=regions, batch_dice=batch_dice, gather=gather)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss of one output; finite, with a gradient of zero, where every voxel is ignored.

        Args:
            logits: (B, C, *spatial).
            target: label map (B, 1, *spatial) of any number type; for regions one-hot (B, C, *spatial), or
                (B, C + 1, *spatial) with an ignore label.

        Returns:
            Scalar.

        Raises:
            ArchitectureError: logits and target do not fit each other.
        """
        # Once for both terms; autocast would do it for the second one anyway.
        logits = at_least_single(logits)
        target, mask = self._split(target)
        # Tversky comes first even with no weight: it is the one that looks at the shapes.
        loss: torch.Tensor = self.weight_tversky * self.tversky(logits, target, mask)
        if self.weight_cross_entropy:
            entropy = _binary_cross_entropy if self.regions else _cross_entropy
            loss = loss + self.weight_cross_entropy * entropy(logits, target, mask)
        return loss

    def _split(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The target proper, and the voxels that count (B, 1, *spatial), or ``None`` for all of them."""
        if self.ignore_label is None:
            return target, None
        if self.regions:
            return target[:, :-1], ~target[:, -1:].bool()
        return target, target != self.ignore_label


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    labels = target[:, 0].long()
    if mask is None:
        return functional.cross_entropy(logits, labels)
    labels = torch.where(mask[:, 0], labels, _NO_LABEL)
    total = functional.cross_entropy(logits, labels, ignore_index=_NO_LABEL, reduction="sum")
    return total / mask.sum().clamp_min(1)  # torch's own mean is 0 / 0 if every voxel is ignored


def _binary_cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    regions = target.to(logits.dtype)
    if mask is None:
        return functional.binary_cross_entropy_with_logits(logits, regions)
    weight = mask.to(logits.dtype)
    total = functional.binary_cross_entropy_with_logits(logits, regions, weight, reduction="sum")
    # With an ignore label nnU-Net's DC_and_BCE_loss divides by the voxels alone, so that its cross-entropy
    # weighs C times more than without one; ours is the mean over voxels and regions in both cases.
    return total / (mask.sum() * logits.shape[1]).clamp_min(1)
