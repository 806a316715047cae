"""A command ends with the call that started it, in good order: two must never work on one campaign.

And it runs as it would without us: it ends what it forks.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation.steps import Steps

SECONDS = 60
COMMANDS = """
import multiprocessing
import time
from pathlib import Path

def wait():
    Path("began").touch()
    try:
        time.sleep(600)
    finally:
        Path("ended").touch()

def fork():
    for _ in range(20):
        with multiprocessing.get_context("fork").Pool(4):
            pass
"""
# As `Steps` does it, which waits for what it started.
CALLER = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"

MEASURED = ("-m", "nnunet_slpt.simulation.measured", "costs.json")


def finding(installed: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}


def wait_for(file: Path) -> None:
    until = time.monotonic() + SECONDS
    while not file.exists():
        assert time.monotonic() < until, f"{file.name} is not there after {SECONDS} s."
        time.sleep(0.05)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with two commands, as an installer leaves it: one waits for ten minutes, one forks."""
    about = tmp_path / "commands-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: commands\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[console_scripts]\nwait_long = made_commands:wait\nfork_often = made_commands:fork\n"
    )
    (tmp_path / "made_commands.py").write_text(COMMANDS)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell that a parent is gone")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_the_call_that_started_it(installed: Path, how: signal.Signals) -> None:
    words = [sys.executable, "-c", CALLER, *MEASURED, "wait_long"]
    caller = subprocess.Popen(words, cwd=installed, env=finding(installed))
    wait_for(installed / "began")
    caller.send_signal(how)
    caller.wait()
    wait_for(installed / "ended")
    assert not (installed / "costs.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there, a command runs to its end")
def test_a_command_ends_when_all_shall_stop(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(installed)
    steps = Steps(installed / "logs")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(steps.run, "wait", ["wait_long"], finding(installed))
        wait_for(installed / "began")
        steps.stop.set()
        with pytest.raises(SimulationError, match="The call that started this has ended"):
            running.result(SECONDS)
    assert (installed / "ended").exists()
    assert not steps.done("wait")


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="nothing can be forked")
def test_a_command_ends_the_processes_that_it_forks(installed: Path) -> None:
    words = [sys.executable, *MEASURED, "fork_often"]
    subprocess.run(words, cwd=installed, env=finding(installed), timeout=SECONDS, check=True)
    assert (installed / "costs.json").exists()
