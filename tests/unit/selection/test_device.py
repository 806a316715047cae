"""A device that is not there is refused, with those that are."""

from __future__ import annotations

import pytest
import torch

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.device import check_device


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    check_device("cpu")
    for device in ("cuda", "mps"):
        with pytest.raises(
            SelectionError, match=rf"-device is {device}, .* expected cpu\. Pass -device cpu,"
        ):
            check_device(device)


def test_a_device_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_device("cuda")
