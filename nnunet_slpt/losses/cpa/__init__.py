"""Contrastive prototype assignment (CPA): what dense self-supervision consists of, without the training loop.

A step, with a student and its `Teacher`: cut two views of an image, each with its `Box`; hide blocks of the
student's view with `hide_blocks`; make `online_prototypes` of the teacher's features; `assignment_loss`
teaches the student to assign its voxels to them as the teacher assigns its own; then update the teacher.

Everything is 2D or 3D, channels first. Must not import nnU-Net, the networks or the trainers.
"""

__all__ = [
    "STUDENT_TEMPERATURE",
    "TEACHER_MOMENTUM",
    "TEACHER_TEMPERATURE",
    "Box",
    "Teacher",
    "assignment_logits",
    "assignment_loss",
    "at_same_place",
    "hide_blocks",
    "online_prototypes",
]

from nnunet_slpt.losses.cpa.assignment import STUDENT_TEMPERATURE, TEACHER_TEMPERATURE, assignment_logits
from nnunet_slpt.losses.cpa.correspondence import Box, at_same_place
from nnunet_slpt.losses.cpa.loss import assignment_loss
from nnunet_slpt.losses.cpa.masking import hide_blocks
from nnunet_slpt.losses.cpa.prototypes import online_prototypes
from nnunet_slpt.losses.cpa.teacher import TEACHER_MOMENTUM, Teacher
