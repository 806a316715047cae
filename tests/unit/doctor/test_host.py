"""What nnU-Net's commands need of this place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_models import UNETS

from nnunet_slpt.discovery import HOST_VARIABLE
from nnunet_slpt.doctor.host import results_folder, trainer
from nnunet_slpt.networks.punet import PUNET


@pytest.mark.parametrize("network", [UNETS + "PlainConvUNet", PUNET])
def test_nothing_is_said_where_all_is_set(
    folders: Path, examined: Any, network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = examined([])
    one.settings["architecture"]["network_class_name"] = network
    assert [*results_folder(one), *trainer(one)] == []
    assert capsys.readouterr() == ("", "")


def test_nowhere_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("nnUNet_results", raising=False)
    nobody: Any = None
    (found,) = results_folder(nobody)
    assert found.level == "error"


def test_a_trainer_that_nnunet_does_not_find(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOST_VARIABLE, raising=False)
    (found,) = trainer(examined([]))
    assert found.level == "error"
    assert "nnUNetTrainerSLPT" in found.text
    assert "nnunet_slpt_env" in found.remedy
