"""The device that a network runs on: is there one?

Must not import nnU-Net.
"""

__all__ = ["check_device"]

import torch

from nnunet_slpt.errors import SelectionError


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Args:
        device: ``cuda``, ``cpu`` or ``mps``.

    Raises:
        SelectionError: PyTorch sees none.
    """
    there = {"cuda": torch.cuda.is_available(), "cpu": True, "mps": torch.backends.mps.is_available()}
    if not there.get(device):
        others = " or ".join(name for name, found in there.items() if found)
        raise SelectionError(
            f"-device is {device}, and PyTorch sees no such device here, expected {others}. Pass -device "
            f"{others}, or run this where there is one."
        )
