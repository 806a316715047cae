"""Self-supervision of a PUNet's body: a student, its teacher, and what they have to agree on.

Owns which grids views and features have, and how alike features are; the loss is ``losses.cpa``. Must not
import nnU-Net.
"""

__all__ = ["SelfSupervision", "mean_cosine"]

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.losses.cpa import Teacher, assignment_loss, online_prototypes
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
        self.cosines: list[Tensor] = []

    def loss(self, images: Tensor, mirrored: Sequence[int] = ()) -> Tensor:
        """How far the student's assignment is from the teacher's.

        Args:
            images: patches (B, C, *S).
            mirrored: axes of the patch along which the student's view may be flipped.
        """
        halves = self._halves(images.shape[2:])
        features = self.teacher(images)
        self.cosines.append(mean_cosine(features))
        theirs = average_pool(
            _standardised(features), [s // h for s, h in zip(images.shape[2:], halves, strict=True)]
        )
        view = student_view(images, halves, self.hidden, mirrored)
        mine = _standardised(self.body(view.images))
        prototypes = online_prototypes(theirs, self._seeds(halves))
        return assignment_loss(mine, theirs, prototypes, view.box, whole(images))

    def follow(self) -> None:
        """Let the teacher follow, after an optimizer step."""
        self.teacher.update_parameters(self.body)

    def likeness(self) -> float:
        """The mean cosine of two voxels' features, of all batches since the last call.

        Of the teacher's features as they are: standardised, the least residue would look like a structure.
        Near 1 all features are alike: the body has collapsed.
        """
        mean = torch.stack(self.cosines).mean() if self.cosines else torch.zeros(())
        self.cosines = []
        return float(mean)

    def _halves(self, size: Sequence[int]) -> list[int]:
        """Half of the patch along each axis, or all of it where the strides do not divide the half."""
        steps = self.body.plan.total_stride
        return [s // 2 if s % (2 * step) == 0 else s for s, step in zip(size, steps, strict=True)]

    def _seeds(self, halves: Sequence[int]) -> list[int]:
        """Prototypes along each axis of the compared features."""
        return [max(1, min(self.prototypes, size // VOXELS_A_PROTOTYPE)) for size in halves]

    def check_patch(self) -> None:
        """Refuse a patch that leaves one prototype, to which every assignment is right, or one deepest voxel.

        Raises:
            ConfigError: it does.
        """
        patch = self.body.plan.patch_size
        halves = self._halves(patch)
        if math.prod(self._seeds(halves)) == 1:
            raise ConfigError(
                f"A patch of {' x '.join(map(str, patch))} voxels has room for one prototype, to which all "
                f"voxels belong: features are compared on {' x '.join(map(str, halves))}, and expected are "
                f"{2 * VOXELS_A_PROTOTYPE} voxels or more along some axis. Plan a larger patch, or set "
                "weight_assignment to 0 for no self-supervision."
            )
        if tuple(halves) == self.body.plan.total_stride:
            raise ConfigError(
                f"A patch of {' x '.join(map(str, patch))} voxels is too small: the student sees "
                f"{' x '.join(map(str, halves))} of it, one voxel in the deepest stage, and expected are two "
                "or more. Plan a larger patch."
            )


@torch.no_grad()
def mean_cosine(features: Tensor) -> Tensor:
    """The mean cosine of two voxels' features within a sample, as the head compares them with tokens.

    Args:
        features: (B, C, *S).
    """
    directions = functional.normalize(features.float(), dim=1).flatten(2)
    # The squared length of the mean direction is the mean over all pairs.
    return directions.mean(2).square().sum(1).mean()


def _standardised(features: Tensor) -> Tensor:
    """Each channel of each sample with mean 0 and deviation 1 over the voxels."""
    return functional.instance_norm(features.float())
