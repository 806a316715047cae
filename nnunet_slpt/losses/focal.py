"""The focal loss on some of the classes of a label map.

Must not import nnU-Net: the shapes and the meaning of the targets are its, the code is not.
"""

__all__ = ["FocalLoss"]

from collections.abc import Sequence

import torch
from torch import nn

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.losses.precision import at_least_single


class FocalLoss(nn.Module):
    """Cross-entropy that a voxel counts less for the better it is predicted: −(1 − p)^gamma log p.

    The output has one channel for each of some labels; the target may hold others too. What becomes of their
    voxels is for ``others`` to say.

    Args:
        labels: the label of each channel of the output, in their order.
        others: the label as which all other labels count, 0 for "they are background"; ``None``: their voxels
            do not count at all, as those that nobody annotated.
        ignore_label: the label of voxels that never count. A case without any annotation is full of it.
        gamma: 0 gives cross-entropy.

    Raises:
        ConfigError: labels are fewer than two, twice there or to be ignored; others is none of them; gamma is
            negative.

    References:
        Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4.
        PUNet (arXiv:2211.09233) trains on a subset of the classes, beside contrastive prototype assignment.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        others: int | None = 0,
        ignore_label: int | None = None,
        gamma: float = 2,
    ) -> None:
        super().__init__()
        _check_settings(labels, others, ignore_label, gamma)
        self.labels = tuple(labels)
        self.others = others
        self.ignore_label = ignore_label
        self.gamma = gamma

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The mean over the voxels that count.

        Args:
            logits: (B, len(labels), *spatial).
            target: label map (B, 1, *spatial) of any number type.

        Returns:
            Scalar; 0, with a graph, if no voxel counts.

        Raises:
            ArchitectureError: logits, labels and target do not fit each other.
        """
        self._check_shapes(logits, target)
        channels, counts = self._channels(target)
        log_p = at_least_single(logits).log_softmax(1).gather(1, channels)
        # The clamp keeps the gradient finite at p = 1 for a gamma below 1.
        doubt = (-torch.expm1(log_p)).clamp_min(1e-12) ** self.gamma
        return (-doubt * log_p * counts).sum() / counts.sum().clamp_min(1)

    @torch.no_grad()
    def _channels(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The channel of each voxel's label, and whether the voxel counts; both (B, 1, *spatial)."""
        channels = torch.zeros_like(target, dtype=torch.long)
        counts = torch.zeros_like(target, dtype=torch.bool)
        if self.others is not None:
            channels.fill_(self.labels.index(self.others))
            counts.fill_(True)
        for channel, label in enumerate(self.labels):
            channels.masked_fill_(target == label, channel)
            counts |= target == label
        if self.ignore_label is not None:
            counts &= target != self.ignore_label
        return channels, counts

    def _check_shapes(self, logits: torch.Tensor, target: torch.Tensor) -> None:
        batch, channels, *grid = logits.shape
        if channels != len(self.labels):
            raise ArchitectureError(
                f"logits do not fit the labels {self.labels}: got {channels} channels, expected "
                f"{len(self.labels)}; give one channel for each label, in their order"
            )
        if tuple(target.shape) != (batch, 1, *grid):
            raise ArchitectureError(
                f"target does not fit logits of shape {tuple(logits.shape)}: got {tuple(target.shape)}, "
                f"expected a label map of shape {(batch, 1, *grid)}"
            )


def _check_settings(
    labels: Sequence[int], others: int | None, ignore_label: int | None, gamma: float
) -> None:
    if len(labels) < 2 or len(set(labels)) < len(labels) or ignore_label in labels:
        raise ConfigError(
            f"labels of the focal loss cannot be used: got {list(labels)} with ignore_label={ignore_label}, "
            "expected at least two different ones, none of them ignored; the background is a label too"
        )
    if others is not None and others not in labels:
        raise ConfigError(
            f"other labels cannot count as {others}: expected one of {list(labels)}, or None "
            "to leave them out"
        )
    if not gamma >= 0:
        raise ConfigError(
            f"focal gamma out of range: got {gamma}, expected at least 0; 2 is the paper's, 0 gives "
            "cross-entropy"
        )
