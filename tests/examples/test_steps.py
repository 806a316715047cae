"""The demo's steps: commands are shown and logged, errors are told, finished steps are not run again."""

import sys
from pathlib import Path

import pytest
from steps import Command, DemoError, Function, Step, run_steps


def touch(path: Path, runs: list[str]) -> Step:
    def do() -> None:
        runs.append(path.name)
        path.touch()

    return Step(name=path.name, title=path.name, actions=[Function(f"touch {path.name}", do)], outputs=[path])


def test_finished_steps_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs: list[str] = []
    steps = [touch(tmp_path / name, runs) for name in ("one", "two", "three")]
    run_steps(steps, {}, tmp_path / "logs")
    run_steps(steps, {}, tmp_path / "logs")
    assert runs == ["one", "two", "three"]
    assert "finished before" in capsys.readouterr().out
    (tmp_path / "two").unlink()
    run_steps(steps, {}, tmp_path / "logs")
    assert runs[3:] == ["two", "three"]  # what follows depends on it


def test_a_step_with_other_actions_runs_again(tmp_path: Path) -> None:
    runs: list[str] = []
    run_steps([touch(tmp_path / "one", runs)], {}, tmp_path / "logs")
    changed = Step(
        name="one", title="one", actions=[Function("else", runs.clear)], outputs=[tmp_path / "one"]
    )
    run_steps([changed], {}, tmp_path / "logs")
    assert runs == []


def test_a_command_is_shown_and_sees_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(sys.executable, "-c", "import os; print(os.environ['DEMO'])")
    run_steps([Step(name="a", title="A", actions=[command], outputs=[])], {"DEMO": "yes"}, tmp_path)
    shown = capsys.readouterr().out
    assert "[1/1] A" in shown
    assert f"$ {sys.executable} -c 'import os" in shown
    assert (tmp_path / "1_a.log").read_text() == "yes\n"


def test_progress_of_training_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["Epoch 3", "Pseudo dice [np.float32(0.9318), np.float32(nan)]", "Epoch time: 4.2 s"]
    stamped = "".join(f"2026-01-02 03:04:05.678901: {line}\n" for line in lines)
    command = Command(sys.executable, "-c", f"print({stamped!r})")
    run_steps([Step(name="a", title="A", actions=[command], outputs=[])], {}, tmp_path)
    assert "      Epoch 3: Dice on patches 0.93 nan, 4.2 s\n" in capsys.readouterr().out


def test_an_error_shows_the_end_of_the_log(tmp_path: Path) -> None:
    command = Command(sys.executable, "-c", "print('the cause'); raise SystemExit(3)")
    with pytest.raises(DemoError, match=r"(?s)exit code 3 .*\| the cause\n.*1_a\.log"):
        run_steps([Step(name="a", title="A", actions=[command], outputs=[])], {}, tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_an_unknown_command_and_a_missing_output_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="no-such-command cannot be started"):
        run_steps([Step(name="a", title="A", actions=[Command("no-such-command")], outputs=[])], {}, tmp_path)
    with pytest.raises(DemoError, match="'B' ended well but left no"):
        run_steps([Step(name="b", title="B", actions=[], outputs=[tmp_path / "absent"])], {}, tmp_path)
