"""Run the commands of a campaign one by one, each in a process of its own; what is done is not done again.

Knows no method and no dataset. Must not import torch.
"""

__all__ = ["Steps"]

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.files import write_json

LAST_LINES = 15
SECONDS_BETWEEN_LOOKS = 1


@dataclass(frozen=True)
class Steps:
    """A folder of logs, in which ``NAME.json`` tells that step NAME is done and what it cost.

    Args:
        logs: the folder.
        gpu: the only one that the commands shall see; ``None`` changes nothing.
        jobs: how many such folders are worked on at the same time, and share the cores.
        stop: ends the command that runs, and lets no other begin.
    """

    logs: Path
    gpu: str | None = None
    jobs: int = 1
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> dict[str, Any]:
        """Run a command, unless it has been run.

        Args:
            name: of the step.
            command: one that nnU-Net or this package installs, with its arguments.
            environment: nnU-Net's folders.

        Returns:
            What it cost; its seconds are ``None`` if it was begun before, since it goes on from there.

        Raises:
            SimulationError: it failed, with its last lines; or it was not begun, since all shall stop.
        """
        costs, log = self.logs / f"{name}.json", self.logs / f"{name}.log"
        if not costs.exists():
            if self.stop.is_set():
                raise SimulationError(f"Interrupted before {name}.")
            self.logs.mkdir(parents=True, exist_ok=True)
            begun_before = log.exists()
            words = [sys.executable, "-m", "nnunet_slpt.simulation.measured", str(costs), *map(str, command)]
            code = self._exit_code(words, {**os.environ, **environment, **self._share()}, log)
            if code or not costs.exists():
                said = " ".join(map(str, command))
                raise SimulationError(f"{said} ended with {code}; {log} ends so:\n{_tail(log)}")
            if begun_before:
                write_json(costs, {**self.costs(name), "seconds": None})
        return self.costs(name)

    def _exit_code(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """The exit code of a process, which ends before its time if all shall stop."""
        with (
            log.open("ab") as stream,
            subprocess.Popen(words, env=environment, stdout=stream, stderr=stream) as process,
        ):
            try:
                while not self.stop.is_set():
                    with suppress(subprocess.TimeoutExpired):
                        return process.wait(SECONDS_BETWEEN_LOOKS)
            finally:
                if sys.platform != "win32":
                    process.send_signal(signal.SIGUSR1)  # to one that runs; see ``measured``
            return process.wait()

    def _share(self) -> dict[str, str]:
        """The GPU of this folder, and its share of the cores where the user names none."""
        share = {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu}
        if self.jobs == 1:
            return share
        # nnU-Net's prediction takes all cores whatever is said: threads that wait leave them to others.
        cores = {
            "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // self.jobs, 1)),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        return share | {name: os.environ.get(name, value) for name, value in cores.items()}

    def costs(self, name: str) -> dict[str, Any]:
        """What a step cost; nothing if it has not been run."""
        file = self.logs / f"{name}.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def done(self, name: str) -> bool:
        """Whether a step has been run."""
        return (self.logs / f"{name}.json").exists()

    def text(self, name: str) -> str:
        """All that a step has printed."""
        return (self.logs / f"{name}.log").read_text(errors="replace")


def _tail(log: Path) -> str:
    with log.open(errors="replace") as lines:
        return "".join(f"    | {line}" for line in deque(lines, maxlen=LAST_LINES))
