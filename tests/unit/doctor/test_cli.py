"""The command: what it prints, its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_models import about, plans_of, write_model, write_raw

from nnunet_slpt.doctor.cli import main


@pytest.fixture
def call(folders: Path) -> Any:
    """Call the command on a dataset with so many labels."""
    model = write_model(folders / "models", plans_of(), about())

    def called(*options: str, labelled: int = 5, channels: tuple[str, ...] = ("MRI",)) -> int:
        write_raw(folders / "raw/Dataset200_Target", about(channels), cases=5, labelled=labelled)
        return main(["-d", "200", "-npp", "1", "-m", str(model), *options])

    return called


def test_a_report_for_people(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 0
    told = capsys.readouterr().out
    assert told.startswith("Dataset200_Target, with fold_all/checkpoint_final.pth of ")
    assert "\nnote: labels: known by name: organ.\n" in told
    assert told.endswith("\n\nTraining makes sense: 2 notes.\n")


def test_errors_have_code_1_a_remedy_and_a_verdict(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(channels=("T1", "T2")) == 1
    told = capsys.readouterr().out
    assert "the model expects 1 (MRI).\n  Pass --stem" in told
    assert told.endswith("Training makes no sense yet: 1 error, 1 note.\n")


def test_no_label_is_no_error_and_has_a_next_step(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(labelled=0) == 0
    told = capsys.readouterr().out
    assert "nnunet_slpt_select -d Dataset200_Target -n 5 -m " in told
    assert told.endswith("Training will make sense once cases are labelled: 3 notes.\n")


@pytest.mark.parametrize("labelled", [5, 1])
def test_json_alone_on_stdout(call: Any, capsys: pytest.CaptureFixture[str], labelled: int) -> None:
    code = call("--json", labelled=labelled)
    told = json.loads(capsys.readouterr().out)
    assert told["training_makes_sense"] == (code == 0) == (labelled == 5)
    assert {"level", "subject", "text", "remedy"} == set(told["findings"][0])


def test_wishes_are_examined(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--patch_size", "16", "16", "32", "--batch_size", "3") == 0
    assert "(patch 16 x 16 x 32, batch size 3)" in capsys.readouterr().out


def test_what_cannot_be_examined_has_code_2(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("-f", "9") == 2
    told = capsys.readouterr()
    assert told.err.startswith("nnunet_slpt_doctor: There is no fold_9/")
    assert not told.out
