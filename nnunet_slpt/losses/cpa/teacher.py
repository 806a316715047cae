"""The teacher: a copy of the student that follows it slowly and is never trained.

Must not import anything but torch.
"""

__all__ = ["TEACHER_MOMENTUM", "Teacher"]

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

# PUNet (arXiv:2211.09233), contrastive prototype assignment.
TEACHER_MOMENTUM = 0.99


class Teacher(AveragedModel):
    """Exponential moving average of the student: teacher ← 0.99 × teacher + 0.01 × student.

    torch's `AveragedModel` with what is special about a teacher: it stays in eval mode, none of its
    parameters asks for a gradient, and its forward pass makes no graph. Call ``update_parameters(student)``
    after each optimizer step of the student. Buffers are copied, not averaged. ``state_dict`` is all there is
    to save.

    Args:
        student: the network itself, before it is wrapped by `DistributedDataParallel` or compiled.
    """

    def __init__(self, student: nn.Module) -> None:
        average = get_ema_multi_avg_fn(TEACHER_MOMENTUM)  # type: ignore[no-untyped-call]
        super().__init__(student, multi_avg_fn=average)
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
