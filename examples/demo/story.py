"""What the demo and the campaign have in common as programs: the arguments, and how a job is run and told.

Must not know which commands a job has; those are in ``job``.
"""

__all__ = ["add_tuning_arguments", "job_options", "prepare", "tell"]

import argparse
import importlib.util
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from job import Job
from steps import DemoError, Step, run_steps


def add_tuning_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    """Describe the arguments of every job.

    Args:
        parser: they are added to it.
        output: the default folder.
    """
    add = parser.add_argument
    add("--output", type=Path, default=Path(output), help="folder for all that is made")
    add("--data", type=Path, help="a real task; see examples/demo/own_data.py for how it is laid out")
    add("--epochs", type=int, default=8, help="epochs of each tuning")
    add("--iterations", type=int, default=40, help="iterations in an epoch of tuning")
    add("--seed", type=int, default=0, help="of the data, of the choice of cases and of tuning")


def job_options(args: argparse.Namespace) -> dict[str, Any]:
    """What a ``Job`` takes of these arguments.

    Args:
        args: parsed.
    """
    return {
        "output": args.output.resolve(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "prompts": {
            "epochs": args.epochs,
            "iterations_per_epoch": args.iterations,
            "validation_iterations_per_epoch": 5,
            "seed": args.seed,
        },
    }


def tell(title: str, plan: Callable[[], tuple[Job, Sequence[Step]]], report: Callable[[Job], None]) -> int:
    """Run a job from its first step to its report.

    Args:
        title: what it is.
        plan: decides what is done; raises ``DemoError`` if that cannot be.
        report: tells the result.

    Returns:
        The exit code: 0 when all went well.
    """
    start = time.monotonic()
    try:
        prepare()
        job, steps = plan()
        print(f"{title} with nnU-Net, on {job.device}. To run the commands by hand, first:\n")
        for name, value in job.environment.items():
            print(f"    $ export {name}={shlex.quote(value)}")
        run_steps(steps, job.environment, job.output / "logs")
        report(job)
    except (DemoError, ValueError) as error:
        print(f"\nStopped: {error}", file=sys.stderr)
        print("Correct that and run the same command again: it goes on from there.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to go on from there.", file=sys.stderr)
        return 130
    print(f"\nAll done in {time.monotonic() - start:.0f} s.")
    return 0


def prepare() -> None:
    """Put this environment's commands first on the path, and see that all we need is installed.

    Raises:
        DemoError: it is not.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if importlib.util.find_spec("nnunet_slpt") is None or shutil.which("nnUNetv2_train") is None:
        raise DemoError(
            f"nnunet_slpt and nnU-Net are not both installed for {sys.executable}. "
            "Run `make demo`, or `pip install .` in the root of the repository and then this again."
        )
