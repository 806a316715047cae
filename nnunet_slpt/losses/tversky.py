"""The Tversky loss: a Dice loss that weighs false positives and false negatives apart.

Must not import nnU-Net: the shapes and the meaning of the targets are its, the code is not.
"""

__all__ = ["TverskyLoss"]

import torch
from torch import nn

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.losses.precision import at_least_single

SMOOTH = 1e-5  # nnU-Net's; defines the index where a class is absent from both prediction and target


class TverskyLoss(nn.Module):
    """One minus the mean Tversky index over classes, from logits.

    Tversky = (TP + SMOOTH) / (TP + alpha FP + beta FN + SMOOTH), with soft counts. A large alpha punishes
    false positives (precise predictions), a large beta false negatives (sensitive ones). 0.5, 0.5 give Dice
    (nnU-Net's with twice the smooth, because it counts true positives twice and smooth once).

    Args:
        alpha: weight of false positives.
        beta: weight of false negatives.
        regions: targets are one-hot and may overlap (sigmoid), and all channels count; otherwise they are
            label maps (softmax), of which channel 0, the background, does not count as a class.
        batch_dice: count over the whole batch instead of over each sample.
        gather: with ``batch_dice`` in a distributed run, count over the batches of all ranks.

    Raises:
        ConfigError: alpha or beta is negative, or both are zero.

    References:
        SLPT (arXiv:2308.04911), section 2.2: one (alpha_k, beta_k) for each prompt.
        Salehi et al., "Tversky loss function for image segmentation using 3D fully convolutional deep
        networks", MLMI 2017, equation 3.
    """

    def __init__(
        self,
        alpha: float,
        beta: float,
        *,
        regions: bool = False,
        batch_dice: bool = False,
        gather: bool = False,
    ) -> None:
        super().__init__()
        if not (alpha >= 0 and beta >= 0 and alpha + beta > 0):
            raise ConfigError(
                f"Tversky weights out of range: got alpha={alpha}, beta={beta}, expected two numbers of at "
                "least 0 that are not both 0; 0.5 and 0.5 give Dice"
            )
        self.alpha, self.beta = alpha, beta
        self.regions = regions
        self.batch_dice = batch_dice
        self.gather = gather

    def forward(
        self, logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The loss of one output.

        Args:
            logits: (B, C, *spatial).
            target: label map (B, 1, *spatial), or one-hot (B, C, *spatial) for regions. A label outside
                0 … C-1 belongs to no class.
            mask: (B, 1, *spatial), nonzero where a voxel counts; ``None`` counts all of them.

        Returns:
            Scalar in [0, 1].

        Raises:
            ArchitectureError: logits, target and mask do not fit each other.
        """
        self._check_shapes(logits, target, mask)
        keep = None if mask is None else mask.bool()
        probabilities = self._probabilities(logits)
        hits = self._one_hot(target, logits.shape[1], keep)
        counts = _sums(probabilities, hits, keep)
        if self.batch_dice:
            counts = counts.sum(1)
            counts = _sum_over_ranks(counts) if self.gather else counts
        true_positive, predicted, actual = counts.unbind()
        # Predicted minus true positive is the false positives: two sums serve where three products would.
        false = self.alpha * (predicted - true_positive) + self.beta * (actual - true_positive)
        index = (true_positive + SMOOTH) / (true_positive + false + SMOOTH).clamp_min(1e-8)
        return 1 - index.mean()

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        logits = at_least_single(logits)
        return logits.sigmoid() if self.regions else logits.softmax(1)[:, 1:]

    @torch.no_grad()
    def _one_hot(self, target: torch.Tensor, channels: int, keep: torch.Tensor | None) -> torch.Tensor:
        """Booleans (B, classes, *spatial): a quarter of the memory of the floats in nnU-Net's dice.py."""
        if self.regions:
            hits = target.bool()
        else:
            classes = torch.arange(1, channels, device=target.device)
            hits = target == classes.view(1, -1, *[1] * (target.ndim - 2))
        return hits if keep is None else hits & keep

    def _check_shapes(self, logits: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None) -> None:
        batch, channels, *grid = logits.shape
        if channels == 1 and not self.regions:
            raise ArchitectureError(
                "the Tversky loss of label maps needs a foreground class: got logits with 1 channel, "
                "expected at least 2; pass regions=True for a sigmoid output"
            )
        expected = (batch, channels if self.regions else 1, *grid)
        if tuple(target.shape) != expected:
            kind = "one-hot regions" if self.regions else "a label map"
            raise ArchitectureError(
                f"target does not fit logits of shape {tuple(logits.shape)}: got {tuple(target.shape)}, "
                f"expected {kind} of shape {expected}; check the labels and regions in dataset.json"
            )
        if mask is not None and tuple(mask.shape) != (batch, 1, *grid):
            raise ArchitectureError(
                f"mask does not fit logits of shape {tuple(logits.shape)}: got {tuple(mask.shape)}, "
                f"expected {(batch, 1, *grid)}; give one channel of voxels that count"
            )


def _sums(probabilities: torch.Tensor, hits: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
    """Soft true positives, predicted and actual voxels of each class: (3, B, classes)."""
    axes = tuple(range(2, probabilities.ndim))
    true_positive = (probabilities * hits).sum(axes)
    predicted = (probabilities if keep is None else probabilities * keep).sum(axes)
    actual = hits.sum(axes).to(predicted.dtype)
    return torch.stack((true_positive, predicted, actual))


def _sum_over_ranks(counts: torch.Tensor) -> torch.Tensor:
    """The counts of all ranks together, with the gradient of all ranks' losses, as nnU-Net's AllGatherGrad.

    Each rank then holds the loss of the whole batch, and DistributedDataParallel, which averages gradients
    over ranks, ends at exactly the gradient of that loss.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return counts
    from torch.distributed.nn.functional import all_reduce  # fails to import where torch has no distributed

    reduced: torch.Tensor = all_reduce(counts)  # type: ignore[no-untyped-call]
    return reduced
