"""What nnU-Net's commands need of this place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.discovery import HOST_VARIABLE
from nnunet_slpt.doctor.host import results_folder, trainer


def test_nothing_is_said_where_all_is_set(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody: Any = None
    assert [*results_folder(nobody), *trainer(nobody)] == []
    assert capsys.readouterr() == ("", "")


def test_nowhere_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_results", raising=False)
    nobody: Any = None
    (found,) = results_folder(nobody)
    assert found.level == "error"


def test_a_trainer_that_nnunet_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOST_VARIABLE, raising=False)
    nobody: Any = None
    (found,) = trainer(nobody)
    assert found.level == "error"
    assert "nnunet_slpt_env" in found.remedy
