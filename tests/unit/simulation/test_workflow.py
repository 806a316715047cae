"""An interruption reaches every campaign that runs, and those that wait; jobs share the GPUs."""

import errno
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import Timeout

from nnunet_slpt.errors import FileError, SimulationError
from nnunet_slpt.simulation import workflow
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.steps import Steps
from nnunet_slpt.simulation.workflow import _alone, _at_once, simulate

SECONDS = 60
FIRST, SECOND, THIRD = (Campaign("slpt", "random", seed, (2,)) for seed in range(3))


def stand_in_for_all_but_campaigns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, campaigns: list[Campaign]
) -> None:
    about = {"text": str, "source": None, "all_cells": (), "finished": (), "cells": tmp_path}
    plan = SimpleNamespace(campaigns=campaigns, **about)
    answers = {"plan_simulation": plan, "_prepare": tmp_path / "shared", "_settings": None}
    for name, stand_in in answers.items():
        monkeypatch.setattr(workflow, name, lambda *_, answer=stand_in: answer)


def test_an_interruption_stops_what_runs_and_begins_no_other() -> None:
    stop, runs, stopped = threading.Event(), threading.Event(), []

    def run(campaign: Campaign) -> bool:
        if campaign == FIRST:
            runs.wait(SECONDS)
            raise KeyboardInterrupt
        runs.set()
        stopped.append((campaign, stop.wait(SECONDS)))
        return False

    with pytest.raises(SimulationError, match="The same call goes on from here"):
        _at_once(run, [FIRST, SECOND], 2, stop)
    assert stopped == [(SECOND, True)]


def test_a_lock_that_nobody_holds_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / ".lock").touch()
    monkeypatch.setattr("nnunet_slpt.lock.FileLock.acquire", refuse)
    with pytest.raises(FileError, match="belongs to user id"), _alone(tmp_path, print):
        pass


def test_another_part_that_prepares_is_waited_for_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter([*[Timeout("held")] * 3, None])

    def acquire(*arguments: Any, **options: Any) -> None:
        if error := next(refusals):
            raise error

    told: list[str] = []
    monkeypatch.setattr("nnunet_slpt.lock.FileLock.acquire", acquire)
    monkeypatch.setattr(workflow, "WAIT_SECONDS", 0)
    with _alone(tmp_path, told.append):
        assert told == [f"Waiting for another call, which prepares {tmp_path}."]
    assert next(refusals, "none left") == "none left"


def test_a_disk_that_is_full_ends_one_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []

    def campaign(campaign: Campaign, *_: object) -> Iterator[Any]:
        if campaign == FIRST:
            raise OSError(errno.ENOSPC, "No space left on device")
        ran.append(campaign)
        yield from ()

    stand_in_for_all_but_campaigns(tmp_path, monkeypatch, [FIRST, SECOND])
    monkeypatch.setattr(workflow, "run_campaign", campaign)
    assert not simulate(SimpleNamespace(jobs=1, gpus=()), say=lambda line: None)  # type: ignore[arg-type]
    assert ran == [SECOND]
    assert "slpt__random__0 cannot go on: [Errno 28] No space left" in "".join(capsys.readouterr())


def test_without_an_interruption_nothing_is_stopped() -> None:
    stop = threading.Event()
    assert _at_once(lambda campaign: campaign != SECOND, [FIRST, SECOND, THIRD], 2, stop) == [
        True,
        False,
        True,
    ]
    assert not stop.is_set()


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(("4", "7"), {"4": 4, "7": 2}), (("4", "5", "6", "7"), {"4": 2, "5": 2, "6": 2}), ((), {None: 6})],
)
def test_three_jobs_take_the_gpus_in_turn_and_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[str, ...], expected: dict[str | None, int]
) -> None:
    seen: list[str | None] = []
    all_run = threading.Barrier(3)

    def campaign(_: Campaign, __: object, ___: object, steps: Steps, ____: object) -> Iterator[Any]:
        all_run.wait(SECONDS)
        seen.append(steps.gpu)
        all_run.wait(SECONDS)
        yield from ()

    campaigns = [Campaign("slpt", "random", seed, (2,)) for seed in range(6)]
    stand_in_for_all_but_campaigns(tmp_path, monkeypatch, campaigns)
    monkeypatch.setattr(workflow, "run_campaign", campaign)
    assert simulate(SimpleNamespace(jobs=3, gpus=gpus), say=lambda line: None)  # type: ignore[arg-type]
    assert Counter(seen) == expected
