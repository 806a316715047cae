"""Run a job step by step: say what is run, keep its log, and do not run again what is finished.

Owns echo, logs, durations and resuming. Knows nothing of nnU-Net; must not import torch.
"""

__all__ = ["Command", "DemoError", "Function", "Step", "run_steps"]

import json
import os
import re
import shlex
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

TAIL_LINES = 25
TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: ")


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Command:
    """A command of the shell, shown so that it can be copied."""

    def __init__(self, *words: str | Path | int) -> None:
        """Take the words of the command."""
        self.words = [str(word) for word in words]

    def __str__(self) -> str:
        return "$ " + shlex.join(self.words)

    def run(self, environment: Mapping[str, str], log: TextIO) -> None:
        """Run it, its output into the log.

        Raises:
            DemoError: the command is not there, or ended with an error.
        """
        try:
            process = subprocess.Popen(
                self.words,
                env=dict(environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise DemoError(
                f"{self.words[0]} cannot be started: {error}. Is nnU-Net installed here?"
            ) from error
        with process:
            tail = deque(_shown(process.stdout or (), log), maxlen=TAIL_LINES)
        if process.returncode:
            lines = "".join(f"    | {line}" for line in tail)
            raise DemoError(
                f"exit code {process.returncode} from\n    {self}\n{lines}    whole log: {log.name}"
            )


@dataclass(frozen=True)
class Function:
    """Something small done by the demo itself, between two commands."""

    says: str
    do: Callable[[], object]

    def __str__(self) -> str:
        return "- " + self.says

    def run(self, environment: Mapping[str, str], log: TextIO) -> None:
        """Do it."""
        log.write(f"{self.says}\n")
        self.do()


@dataclass(frozen=True, kw_only=True)
class Step:
    """Some actions and the files they leave.

    Args:
        name: name of its log.
        title: what a reader is told.
        actions: what is done, in this order.
        outputs: files that exist when it is finished.
    """

    name: str
    title: str
    actions: Sequence[Command | Function]
    outputs: Sequence[Path]


def run_steps(steps: Sequence[Step], environment: Mapping[str, str], folder: Path) -> None:
    """Run the steps that are not finished; after one that ran, all that follow run too.

    A step is finished when its outputs exist and its record in ``folder`` tells of the same actions.

    Raises:
        DemoError: a step failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    anew = False
    for number, step in enumerate(steps, start=1):
        print(f"\n[{number}/{len(steps)}] {step.title}", flush=True)
        record = folder / f"{number}_{step.name}.json"
        seconds = None if anew else _finished(step, record)
        if seconds is not None:
            print(f"    finished before, in {seconds:.0f} s")
            continue
        anew = True
        print(f"    done in {_run(step, environment, record):.0f} s", flush=True)


def _finished(step: Step, record: Path) -> float | None:
    """Give the seconds a finished step took, None for any other."""
    if not record.is_file() or not all(path.exists() for path in step.outputs):
        return None
    told: dict[str, Any] = json.loads(record.read_text())
    return float(told["seconds"]) if told["actions"] == [str(action) for action in step.actions] else None


def _run(step: Step, environment: Mapping[str, str], record: Path) -> float:
    """Run one step and write its record; give the seconds it took."""
    record.unlink(missing_ok=True)
    start = time.monotonic()
    with record.with_suffix(".log").open("w") as log:
        for action in step.actions:
            print(f"    {action}", flush=True)
            action.run({**os.environ, **environment}, log)
    missing = [str(path) for path in step.outputs if not path.exists()]
    if missing:
        raise DemoError(f"'{step.title}' ended well but left no {missing}; see {record.with_suffix('.log')}")
    seconds = round(time.monotonic() - start, 1)
    record.write_text(
        json.dumps({"actions": [str(a) for a in step.actions], "seconds": seconds}, indent=2) + "\n"
    )
    return seconds


def _shown(lines: Any, log: TextIO) -> Iterator[str]:
    """Pass on every line; write it to the log, and say what it tells of nnU-Net's progress."""
    epoch, dice = "", ""
    for line in lines:
        log.write(line)
        log.flush()
        text = TIMESTAMP.sub("", line).strip()
        if re.fullmatch(r"Epoch \d+", text):
            epoch = text
        elif text.startswith("Pseudo dice"):
            dice = " ".join(f"{float(number):.2f}" for number in re.findall(r"\((-?[\d.]+|nan)\)", text))
        elif text.startswith("Epoch time"):
            print(f"      {epoch}: Dice on patches {dice}, {text.split(':')[1].strip()}", flush=True)
        elif text.startswith(("Mean Validation Dice", "Prompts inside")):
            print(f"      {text}", flush=True)
        yield line
