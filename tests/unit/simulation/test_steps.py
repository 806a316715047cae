"""A step is run once, in a process of its own, with what it cost; a failure shows its last lines."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation.steps import Steps

COMMAND = ["nnunet_slpt_env", "--shell", "fish"]


def test_a_step_is_run_once_and_tells_its_costs(tmp_path: Path) -> None:
    steps = Steps(tmp_path / "logs")
    assert not steps.done("env")
    costs = steps.run("env", COMMAND, {})
    assert steps.done("env")
    assert steps.text("env").startswith("set -gx nnUNet_extTrainer")
    assert costs["peak_memory_bytes"] > 2**20
    (tmp_path / "logs" / "env.log").unlink()
    assert steps.run("env", COMMAND, {}) == costs
    assert not (tmp_path / "logs" / "env.log").exists()


def test_a_failed_step_is_not_done(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    with pytest.raises(
        SimulationError, match=r"(?s)nnunet_slpt_env --nonsense ended with 2.*\| .*--nonsense"
    ):
        steps.run("env", ["nnunet_slpt_env", "--nonsense"], {})
    assert not steps.done("env")
    steps.run("env", COMMAND, {})
    assert steps.done("env")


def test_the_seconds_of_a_second_attempt_are_unknown(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    assert steps.costs("env") == {}
    (tmp_path / "env.log").touch()  # as a call that was killed has left it
    costs = steps.run("env", COMMAND, {})
    assert costs["seconds"] is None
    assert costs["peak_memory_bytes"] > 2**20
    assert costs == steps.costs("env") == steps.run("env", COMMAND, {})
    assert steps.run("other", COMMAND, {})["seconds"] >= 0


def test_no_step_begins_once_all_shall_stop(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    costs = steps.run("env", COMMAND, {})
    steps.stop.set()
    assert steps.run("env", COMMAND, {}) == costs
    with pytest.raises(SimulationError, match="Interrupted before other"):
        steps.run("other", COMMAND, {})
    assert not (tmp_path / "other.log").exists()


def test_a_command_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no_such_command is no installed command"):
        Steps(tmp_path).run("a", ["no_such_command"], {})


def test_the_environment_reaches_the_command(tmp_path: Path) -> None:
    Steps(tmp_path).run("a", COMMAND, {"nnUNet_extTrainer": "/mine"})
    assert "/mine" in Steps(tmp_path).text("a")
    assert json.loads((tmp_path / "a.json").read_text()).keys() == {"command", "seconds", "peak_memory_bytes"}


SHARE = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")


@pytest.mark.parametrize(
    ("jobs", "own", "expected"),
    [
        (1, {}, {}),
        (1, {"OMP_NUM_THREADS": "7"}, {"OMP_NUM_THREADS": "7"}),
        (3, {}, {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}),
        (9, {}, {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}),
        (3, {"OMP_NUM_THREADS": "7"}, {"OMP_NUM_THREADS": "7", "OMP_WAIT_POLICY": "PASSIVE"}),
        (3, {"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_several_jobs_share_the_cores_unless_the_user_says_otherwise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
    own: dict[str, str],
    expected: dict[str, str],
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    for name in SHARE:
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    seen = environment_of(Steps(tmp_path, jobs=jobs), monkeypatch)
    assert {name: seen[name] for name in SHARE if name in seen} == expected


def environment_of(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that a command of these steps sees."""
    seen: dict[str, str] = {}

    def command(_: Steps, words: Sequence[str], environment: Mapping[str, str], __: Path) -> int:
        seen.update(environment)
        Path(words[3]).write_text("{}")
        return 0

    monkeypatch.setattr(Steps, "_exit_code", command)
    steps.run("a", COMMAND, {})
    return seen


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("gpu", "expected"), [("3", "3"), (None, "0,1")])
def test_a_command_sees_the_gpu_of_its_steps_alone_or_else_those_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, gpu: str | None, expected: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    seen = environment_of(Steps(tmp_path, gpu, jobs), monkeypatch)
    assert seen["CUDA_VISIBLE_DEVICES"] == expected
