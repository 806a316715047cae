"""The loss of contrastive prototype assignment: the student assigns its voxels as the teacher does.

Must not import anything but torch, the package's errors and losses.
"""

__all__ = ["assignment_loss"]

import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses.cpa.assignment import STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, assignment_logits
from nnunet_slpt.losses.cpa.correspondence import Box, at_same_place


def assignment_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    prototypes: torch.Tensor,
    student_box: Box,
    teacher_box: Box,
    counts: torch.Tensor | None = None,
    *,
    student_temperature: float = STUDENT_TEMPERATURE,
    teacher_temperature: float = TEACHER_TEMPERATURE,
) -> torch.Tensor:
    """Cross-entropy of the student's assignment against the teacher's, where both views lie.

    The mean over the voxels that count. It cannot fall below the mean entropy of the teacher's assignment.
    Only the student receives a gradient. For several views of the student, call it for each, with the same
    prototypes.

    Nothing in it keeps both networks' features from drifting into one common direction, where every voxel
    belongs to all K prototypes alike and the loss is log K. Features normalised over their voxels, or a
    second loss, have to.

    Args:
        student: (B, C, *grid), the features of the student's view.
        teacher: (B, C, *any grid), those of the teacher's view.
        prototypes: (B, K, C), from `online_prototypes` of the teacher's features.
        student_box: where the student's view lies.
        teacher_box: where the teacher's view lies, in the same frame.
        counts: (B, 1, *grid), nonzero where a voxel of the student counts; ``None`` counts all of them.
        student_temperature: of the student's assignment.
        teacher_temperature: of the teacher's.

    Returns:
        Scalar; 0, with a graph, if no voxel counts.

    Raises:
        ArchitectureError: features, prototypes, boxes and counts do not fit each other.
        ConfigError: a temperature is not positive.

    References:
        PUNet (arXiv:2211.09233), contrastive prototype assignment; weighted with 0.01 beside a focal loss.
    """
    _check_counts(student, counts)
    with torch.no_grad():
        theirs = assignment_logits(teacher, prototypes, teacher_temperature).softmax(1)
        target, seen = at_same_place(theirs, teacher_box, student_box, student.shape[2:])
        seen = seen[:, 0] if counts is None else (seen & counts.bool())[:, 0]
    logits = assignment_logits(student, prototypes.detach(), student_temperature)
    entropy = functional.cross_entropy(logits, target.to(logits.dtype), reduction="none")
    return (entropy * seen).sum() / seen.sum().clamp_min(1)


def _check_counts(student: torch.Tensor, counts: torch.Tensor | None) -> None:
    expected = (len(student), 1, *student.shape[2:])
    if counts is not None and tuple(counts.shape) != expected:
        raise ArchitectureError(
            f"counts do not fit a student of shape {tuple(student.shape)}: got {tuple(counts.shape)}, "
            f"expected {expected}; give one channel on the grid of the student's features"
        )
