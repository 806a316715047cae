"""The loss of contrastive prototype assignment: the student assigns its voxels as the teacher does.

Must not import anything but torch and the package's losses.
"""

__all__ = ["assignment_loss"]

import torch
from torch.nn import functional

from nnunet_slpt.losses.cpa.assignment import STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, assignment_logits
from nnunet_slpt.losses.cpa.correspondence import Box, at_same_place


def assignment_loss(
    student: torch.Tensor,
    teacher: torch.Tensor,
    prototypes: torch.Tensor,
    student_box: Box,
    teacher_box: Box,
) -> torch.Tensor:
    """Cross-entropy of the student's assignment against the teacher's, where both views lie.

    The mean over the student's voxels that the teacher sees too. It cannot fall below the mean entropy of the
    teacher's assignment there. Only the student receives a gradient. For several views of the student, call
    it for each, with the same prototypes.

    Nothing in it keeps both networks' features from drifting into one common direction, where every voxel
    belongs to all K prototypes alike and the loss is log K. Features normalised over their voxels, or a
    second loss, have to.

    Args:
        student: (B, C, *grid), the features of the student's view.
        teacher: (B, C, *any grid), those of the teacher's view.
        prototypes: (B, K, C), from `online_prototypes` of the teacher's features.
        student_box: where the student's view lies.
        teacher_box: where the teacher's view lies, in the same frame.

    Returns:
        Scalar; 0, with a graph, if the views do not meet.

    Raises:
        ArchitectureError: features, prototypes and boxes do not fit each other.

    References:
        PUNet (arXiv:2211.09233), contrastive prototype assignment; weighted with 0.01 beside a focal loss.
    """
    with torch.no_grad():
        theirs = assignment_logits(teacher, prototypes, TEACHER_TEMPERATURE).softmax(1)
        target, seen = at_same_place(theirs, teacher_box, student_box, student.shape[2:])
    logits = assignment_logits(student, prototypes.detach(), STUDENT_TEMPERATURE)
    entropy = functional.cross_entropy(logits, target.to(logits.dtype), reduction="none")
    return (entropy * seen[:, 0]).sum() / seen.sum().clamp_min(1)
