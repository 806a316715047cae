"""The focal loss of one class against the rest.

Must not import anything but torch, the package's errors and losses.
"""

__all__ = ["focal_loss"]

import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.precision import at_least_single


def focal_loss(logits: torch.Tensor, target: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy that a voxel counts less for the better it is predicted: −(1 − p)² log p.

    p is the probability of what the voxel is: sigmoid(logit) in the class, sigmoid(−logit) outside.

    Args:
        logits: of the class, (B, 1, *spatial).
        target: (B, 1, *spatial), boolean, true in the class.
        counts: (B, 1, *spatial), boolean, false where nobody annotated.

    Returns:
        Scalar, the mean over the voxels that count; 0, with a graph, if none does.

    Raises:
        ArchitectureError: logits, target and counts do not have the same shape.

    References:
        Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4 with gamma = 2.
        PUNet (arXiv:2211.09233) trains on a subset of the classes, beside contrastive prototype assignment.
    """
    if not logits.shape == target.shape == counts.shape:
        raise ArchitectureError(
            f"target and counts do not fit logits of shape {tuple(logits.shape)}: got {tuple(target.shape)} "
            f"and {tuple(counts.shape)}, expected the same shape for all; give one channel, of one class"
        )
    logits = at_least_single(logits)
    log_p = functional.logsigmoid(torch.where(target, logits, -logits))
    doubt = -torch.expm1(log_p)
    return (-doubt.square() * log_p * counts).sum() / counts.sum().clamp_min(1)
