"""Soft assignment of voxels to prototypes.

Owns the two temperatures. Must not import anything but torch, the package's errors and losses.
"""

__all__ = ["STUDENT_TEMPERATURE", "TEACHER_TEMPERATURE", "assignment_logits"]

import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa.cosine import unit_length

# PUNet (arXiv:2211.09233), contrastive prototype assignment: the teacher is the sharper of the two.
STUDENT_TEMPERATURE = 0.066
TEACHER_TEMPERATURE = 0.033


def assignment_logits(features: torch.Tensor, prototypes: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cosine of each voxel with each prototype, over the temperature.

    Softmax over axis 1 gives the assignment. The cosines are plain: mapped to [0, 1] as (cos + 1) / 2, as in
    the head, they would have the same softmax at twice the temperature.

    Args:
        features: (B, C, *grid).
        prototypes: (B, K, C), those of each sample, of any length.
        temperature: above 0; the lower, the harder the assignment.

    Returns:
        (B, K, *grid), in [-1 / temperature, 1 / temperature], in single precision under autocast too.

    Raises:
        ArchitectureError: features and prototypes do not fit each other.

    References:
        PUNet (arXiv:2211.09233), contrastive prototype assignment.
    """
    _check(features, prototypes)
    with torch.autocast(features.device.type, enabled=False):  # which would multiply in half precision
        voxels = unit_length(features).flatten(2)
        cosines = unit_length(prototypes, axis=2).to(voxels.dtype) @ voxels
    return (cosines / temperature).view(len(cosines), -1, *features.shape[2:])


def _check(features: torch.Tensor, prototypes: torch.Tensor) -> None:
    if features.ndim < 3:
        raise ArchitectureError(
            f"features cannot be assigned: got shape {tuple(features.shape)}, expected (B, C, *grid); "
            "give the dense feature map, before any pooling"
        )
    batch, channels = features.shape[:2]
    if prototypes.ndim != 3 or (prototypes.shape[0], prototypes.shape[2]) != (batch, channels):
        raise ArchitectureError(
            f"prototypes do not fit features of shape {tuple(features.shape)}: got "
            f"{tuple(prototypes.shape)}, expected ({batch}, K, {channels}); make them of the "
            "teacher's features of the same samples"
        )
