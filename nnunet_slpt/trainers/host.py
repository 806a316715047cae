"""Gaps in how nnU-Net begins a training, closed from outside: ``-pretrained_weights``, threads and seeds.

Owns what the trainer must know of nnU-Net's run/run_training.py and run/load_pretrained_weights.py.
Must not import the networks; changes nothing inside nnU-Net.
"""

__all__ = ["keep_to_requested_threads", "map_cuda_storages_to_cpu", "requested_weights", "seed"]

import inspect
import os
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

# PyTorch asks in this order and CUDA's own entry has 20. No two entries may have one priority: it sorts them
# as tuples, and functions cannot be compared.
JUST_BEFORE_CUDA = 19


@cache
def map_cuda_storages_to_cpu() -> None:
    """Let ``torch.load`` read a checkpoint from a GPU on a host without one.

    nnU-Net's run/load_pretrained_weights.py calls ``torch.load`` without ``map_location``, which fails there.
    Where CUDA is available nothing changes. Calling it again does nothing.
    """
    torch.serialization.register_package(JUST_BEFORE_CUDA, _no_tag, _keep_on_cpu)


def keep_to_requested_threads() -> None:
    """Let a training on a CPU have as many threads as ``OMP_NUM_THREADS`` says, if it says a number.

    nnU-Net's run/run_training.py takes as many as there are cores whatever it says, and trainings side by
    side then stand in each other's way.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        torch.set_num_threads(int(wanted))


def seed(*numbers: int) -> None:
    """Start the generators of python, numpy and torch from what some numbers are together.

    Args:
        numbers: from 0 on.
    """
    start = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(start)
    np.random.seed(start)
    torch.manual_seed(start)


def requested_weights() -> Path | None:
    """The file that nnU-Net is about to load for ``-pretrained_weights``, if any.

    nnU-Net hands it to its own ``maybe_load_checkpoint`` (run/run_training.py) alone, which calls the
    trainer's ``initialize()`` just before it loads: only in that frame can the trainer learn of it.
    """
    # Here and not above: inference, which needs none of this, should not import nnU-Net's training script.
    from nnunetv2.run.run_training import maybe_load_checkpoint

    frame = inspect.currentframe()
    # Equal, not identical: `python -m nnunetv2.run.run_training` holds a second copy of the function.
    while frame is not None and frame.f_code != maybe_load_checkpoint.__code__:
        frame = frame.f_back
    return None if frame is None else _about_to_load(frame.f_locals)


def _about_to_load(arguments: Any) -> Path | None:
    # nnU-Net ignores the flag when it continues or only validates: the run's own checkpoint comes instead.
    if (
        arguments["continue_training"]
        or arguments["validation_only"]
        or arguments["pretrained_weights_file"] is None
    ):
        return None
    return Path(arguments["pretrained_weights_file"])


def _no_tag(storage: Any) -> str | None:
    """Tagging on save stays with PyTorch's own entries."""


def _keep_on_cpu(storage: Any, location: str) -> Any | None:
    return storage if location.startswith("cuda") and not torch.cuda.is_available() else None
