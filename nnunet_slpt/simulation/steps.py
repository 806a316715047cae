"""Run the commands of a campaign one by one, each in a process of its own; what is done is not done again.

Knows no method and no dataset. Must not import torch.
"""

__all__ = ["Steps"]

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SimulationError

LAST_LINES = 15


@dataclass(frozen=True)
class Steps:
    """A folder of logs, in which ``NAME.json`` tells that step NAME is done and what it cost.

    Args:
        logs: the folder.
        gpu: the only one that the commands shall see; ``None`` changes nothing.
        jobs: how many such folders are worked on at the same time, and share the cores.
    """

    logs: Path
    gpu: str | None = None
    jobs: int = 1

    def run(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> dict[str, Any]:
        """Run a command, unless it has been run.

        Args:
            name: of the step.
            command: one that nnU-Net or this package installs, with its arguments.
            environment: nnU-Net's folders.

        Returns:
            What it cost.

        Raises:
            SimulationError: it failed; with its last lines.
        """
        costs, log = self.logs / f"{name}.json", self.logs / f"{name}.log"
        if not costs.exists():
            self.logs.mkdir(parents=True, exist_ok=True)
            words = [sys.executable, "-m", "nnunet_slpt.simulation.measured", str(costs), *map(str, command)]
            with log.open("ab") as stream:
                done = subprocess.run(
                    words,
                    env={**os.environ, **environment, **self._share()},
                    stdout=stream,
                    stderr=stream,
                    check=False,
                )
            if done.returncode or not costs.exists():
                said = " ".join(map(str, command))
                raise SimulationError(f"{said} ended with {done.returncode}; {log} ends so:\n{_tail(log)}")
        found: dict[str, Any] = json.loads(costs.read_text())
        return found

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

    def done(self, name: str) -> bool:
        """Whether a step has been run."""
        return (self.logs / f"{name}.json").exists()

    def text(self, name: str) -> str:
        """All that a step has printed."""
        return (self.logs / f"{name}.log").read_text(errors="replace")


def _tail(log: Path) -> str:
    with log.open(errors="replace") as lines:
        return "".join(f"    | {line}" for line in deque(lines, maxlen=LAST_LINES))
