"""Self-supervision of a PUNet's body: a student, its teacher, and what they have to agree on.

Owns which grids views and features have; the loss is ``losses.cpa``. Must not import nnU-Net.
"""

__all__ = ["SelfSupervision"]

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nnunet_slpt.losses.cpa import (
    TEACHER_TEMPERATURE,
    Teacher,
    assignment_logits,
    assignment_loss,
    online_prototypes,
)
from nnunet_slpt.networks.dimensions import average_pool
from nnunet_slpt.networks.punet import Body
from nnunet_slpt.trainers.punet.views import student_view, whole

VOXELS_A_PROTOTYPE = 4  # along each axis, at least


class SelfSupervision:
    """Contrastive prototype assignment on a body without any class.

    The teacher sees the patch, the student a view of half the voxels along each axis, where the network's
    strides allow it. Features are compared on the teacher's side at half the resolution too: prototypes take
    memory for every voxel. They are standardised over the voxels of a sample before, because the loss alone
    lets all of them drift into one direction.

    Args:
        body: the student; not copied.
        hidden: share of its view that is hidden.
        prototypes: at most so many along each axis.

    References:
        PUNet (arXiv:2211.09233), contrastive prototype assignment.
    """

    def __init__(self, body: Body, hidden: float, prototypes: int) -> None:
        self.body = body
        self.teacher = Teacher(body)
        self.hidden = hidden
        self.prototypes = prototypes
        self.entropies: list[float] = []

    def loss(self, images: Tensor) -> Tensor:
        """How far the student's assignment is from the teacher's.

        Args:
            images: patches (B, C, *S).
        """
        halves = self._halves(images.shape[2:])
        theirs = _standardised(self.teacher(images))
        theirs = average_pool(theirs, [s // h for s, h in zip(images.shape[2:], halves, strict=True)])
        view = student_view(images, halves, self.hidden)
        mine = _standardised(self.body(view.images))
        seeds = [max(1, min(self.prototypes, size // VOXELS_A_PROTOTYPE)) for size in theirs.shape[2:]]
        prototypes = online_prototypes(theirs, seeds)
        self._watch(theirs, prototypes)
        return assignment_loss(mine, theirs, prototypes, view.box, whole(images))

    def follow(self) -> None:
        """Let the teacher follow, after an optimizer step."""
        self.teacher.update_parameters(self.body)

    def entropy(self) -> float:
        """The teacher's mean entropy since the last call, as a share of that of no decision at all.

        Near 1 all features are alike: the body has collapsed.
        """
        mean = sum(self.entropies) / max(len(self.entropies), 1)
        self.entropies = []
        return mean

    def _halves(self, size: Sequence[int]) -> list[int]:
        """Half of the patch along each axis, or all of it where the strides do not divide the half."""
        steps = self.body.plan.total_stride
        return [s // 2 if s % (2 * step) == 0 else s for s, step in zip(size, steps, strict=True)]

    @torch.no_grad()
    def _watch(self, features: Tensor, prototypes: Tensor) -> None:
        shares = assignment_logits(features, prototypes, TEACHER_TEMPERATURE).softmax(1)
        if shares.shape[1] > 1:
            entropy = torch.special.entr(shares).sum(1).mean() / math.log(shares.shape[1])
            self.entropies.append(float(entropy))


def _standardised(features: Tensor) -> Tensor:
    """Each channel of each sample with mean 0 and deviation 1 over the voxels."""
    return functional.instance_norm(features.float())
