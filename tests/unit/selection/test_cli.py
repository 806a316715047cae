"""What is typed is what is asked for, option by option, and what cannot be meant is refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from nnunet_slpt.selection import Request, workflow
from nnunet_slpt.selection.cli import main

TYPED = (
    "-d 801 -n 5% -m model -tr T -p P -c 2d -f 1 all -chk best.pth -device cpu -npp 1 -nps 2 -step_size 0.25 "
    "--disable_tta -num_parts 3 -part_id 2 -strategy uncertainty --set part=sum -aggregation top -stages all "
    "--seed 7 --hide_labels --partial --skip_unreadable --val val.txt --exclude no.txt --save_maps --prelabel"
)
ASKED = Request(
    dataset="801",
    budget="5%",
    model_folder=Path("model"),
    trainer="T",
    plans="P",
    configuration="2d",
    folds=("1", "all"),
    checkpoint="best.pth",
    device="cpu",
    preprocessing=1,
    scoring=2,
    step_size=0.25,
    mirroring=False,
    parts=3,
    part=2,
    strategy="uncertainty",
    parameters={"part": "sum"},
    aggregation="top",
    stages="all",
    seed=7,
    hide_labels=True,
    partial=True,
    skip_unreadable=True,
    validation_file=Path("val.txt"),
    exclude_file=Path("no.txt"),
    save_maps=True,
    prelabel=True,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    requests: list[Request] = []
    monkeypatch.setattr(workflow, "select", requests.append)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return requests


def test_every_option_reaches_the_request(asked: list[Request]) -> None:
    assert main(TYPED.split()) == 0
    assert asked == [ASKED]


def test_no_option_of_the_test_above_is_the_default() -> None:
    usual: Any = Request(dataset="another", budget="1")
    same = [one.name for one in fields(Request) if getattr(ASKED, one.name) == getattr(usual, one.name)]
    assert same == ["dry_run"]  # which goes with none that writes


def test_what_is_not_typed_is_as_the_request_has_it(asked: list[Request]) -> None:
    assert main(["-d", "801", "-n", "5", "-device", "cpu", "--dry_run"]) == 0
    assert asked == [Request(dataset="801", budget="5", device="cpu", dry_run=True)]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--status", "--undo"], "--undo: not allowed with argument --status"),
        (["-n", "2", "-npp", "-1"], "-npp: got -1, expected a whole number from 0 on"),
        (["-n", "2", "-nps", "0"], "-nps: got 0, expected a whole number from 1 on"),
    ],
)
def test_what_cannot_be_meant(asked: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["-d", "1", *asked])
    assert told in capsys.readouterr().err
