"""A command ends with the call that started it, in good order: two must never work on one campaign."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SECONDS = 60
WAITING = """
import time
from pathlib import Path

def main():
    Path("began").touch()
    try:
        time.sleep(600)
    finally:
        Path("ended").touch()
"""
# As `Steps` does it, which waits for what it started.
CALLER = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])"


def wait_for(file: Path) -> None:
    until = time.monotonic() + SECONDS
    while not file.exists():
        assert time.monotonic() < until, f"{file.name} is not there after {SECONDS} s."
        time.sleep(0.05)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a command that waits for ten minutes, as an installer leaves it."""
    about = tmp_path / "waiting-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[console_scripts]\nwait_long = waiting:main\n")
    (tmp_path / "waiting.py").write_text(WAITING)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell that a parent is gone")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_ends_with_the_call_that_started_it(installed: Path, how: signal.Signals) -> None:
    words = [sys.executable, "-c", CALLER, "-m", "nnunet_slpt.simulation.measured"]
    caller = subprocess.Popen(
        [*words, "costs.json", "wait_long"],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])},
    )
    wait_for(installed / "began")
    caller.send_signal(how)
    caller.wait()
    wait_for(installed / "ended")
    assert not (installed / "costs.json").exists()
