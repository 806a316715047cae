"""The teacher: a copy of the student that follows it slowly and is never trained.

Must not import anything but torch, the package's errors and mismatch.
"""

__all__ = ["TEACHER_MOMENTUM", "Teacher"]

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.pretrained.mismatch import Shapes, list_differences

# PUNet (arXiv:2211.09233), contrastive prototype assignment.
TEACHER_MOMENTUM = 0.99


class Teacher(AveragedModel):
    """Exponential moving average of the student: teacher ← momentum × teacher + (1 − momentum) × student.

    torch's `AveragedModel` with what is special about a teacher: it stays in eval mode, none of its
    parameters asks for a gradient, and its forward pass makes no graph. Buffers are copied, not averaged.
    ``state_dict`` is all there is to save.

    Args:
        student: the network itself, before it is wrapped by `DistributedDataParallel` or compiled.
        momentum: how much of itself the teacher keeps in an update.

    Raises:
        ConfigError: the momentum is not in [0, 1).
    """

    def __init__(self, student: nn.Module, momentum: float = TEACHER_MOMENTUM) -> None:
        if not 0 <= momentum < 1:
            raise ConfigError(
                f"teacher momentum out of range: got {momentum}, expected at least 0 and below 1; the paper "
                f"uses {TEACHER_MOMENTUM}"
            )
        super().__init__(student, multi_avg_fn=get_ema_multi_avg_fn(momentum))  # type: ignore[no-untyped-call]
        # torch lets the first update replace the copy; here the copy is what the average starts from.
        self.n_averaged.fill_(1)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stay in eval mode, even if a parent module is sent into training."""
        super().train(False)
        return self

    @torch.no_grad()
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged network answers; takes what the student takes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: nn.Module) -> None:
        """Follow the student, after each of its optimizer steps.

        Args:
            model: the student, unwrapped.

        Raises:
            ArchitectureError: it is another network than the one that was copied.
        """
        expected, got = _shapes(self.module), _shapes(model)
        if expected != got:
            raise ArchitectureError(
                "the teacher cannot follow this student: names or shapes differ\n"
                f"{list_differences(expected, got)}\n"
                "give the network that the teacher was made of, without a wrapper around it"
            )
        super().update_parameters(model)


def _shapes(network: nn.Module) -> Shapes:
    tensors = (*network.named_parameters(), *network.named_buffers())
    return {name: tuple(tensor.shape) for name, tensor in tensors}
