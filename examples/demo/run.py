"""The whole job of prompt tuning, by nnU-Net's own commands: what ``make demo`` runs.

Pretrain on an organ, tune prompts for organ and lesions on five labelled cases, predict, evaluate, report.
With ``--data`` a real task and its pretrained network take the place of the pretraining. Run again, it goes
on where it stopped. Owns the command line and the report; the commands are in ``job``.

Example::

    python examples/demo/run.py --output demo_output
"""

__all__ = ["main"]

import argparse
import importlib.metadata
import importlib.util
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from job import LESIONS, Job, evaluation_steps, linking_steps, pretraining_steps, tuning_steps
from own_data import choose, find_task
from picture import Sheet, draw
from report import Scores, read_scores, table, write_report
from steps import DemoError, Step, run_steps

SHOWN_CASES = 3


def plan_job(args: argparse.Namespace) -> tuple[Job, list[Step]]:
    """Decide what is done, from the command line.

    Raises:
        DemoError: ``--data`` is not laid out as it should be.
    """
    options = {
        "output": args.output.resolve(),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "prompts": {
            "epochs": args.epochs,
            "iterations_per_epoch": args.iterations,
            "validation_iterations_per_epoch": 5,
            "seed": args.seed,
        },
    }
    if args.data is None:
        job = Job(dataset=LESIONS, **options)
        steps, pretrained = pretraining_steps(job, args.cases, args.seed)
    else:
        task = find_task(args.data.resolve())
        job = Job(dataset=task.dataset.name, **options)
        steps, pretrained = linking_steps(job, task, choose(task.pool, args.cases, args.seed))
    return job, [*steps, *tuning_steps(job, pretrained), *evaluation_steps(job)]


def report(job: Job, args: argparse.Namespace) -> None:
    """Print the table and write it, with a picture, into the output folder."""
    raw = job.raw / job.dataset
    scores = read_scores(job.predictions / "summary.json", raw / "dataset.json")
    print(f"\nDice on the test cases, after tuning on {args.cases} labelled cases:\n\n{table(scores)}\n")
    packages = ("nnunet_slpt", "nnunetv2", "torch", "numpy")
    facts = {
        "dataset": job.dataset,
        "training_cases": sorted(path.name for path in (raw / "labelsTr").iterdir()),
        "seed": args.seed,
        "prompts": job.prompts,
        "device": job.device,
        "versions": {package: _version(package) for package in packages},
    }
    write_report(scores, job.output, facts)
    _draw(job, scores)
    for name in ("results.md", "results.json", "results.png"):
        print(f"    {job.output / name}")


def _draw(job: Job, scores: Scores) -> None:
    """Draw the best case, the middle one and the worst."""
    raw = job.raw / job.dataset
    description: dict[str, Any] = json.loads((raw / "dataset.json").read_text())
    ranked = scores.worst_to_best()[::-1]
    shown = {ranked[0]: "best", ranked[-1]: "worst", ranked[len(ranked) // 2]: "middle"}
    sheet = Sheet(
        images=raw / "imagesTs",
        truth=raw / "labelsTs",
        prediction=job.predictions,
        file_ending=description["file_ending"],
        classes=scores.classes,
        is_ct=next(iter(description["channel_names"].values())).lower() == "ct",
    )
    captions = {
        case: "\n".join(
            [f"{shown[case]} case", case, "", *(f"{n} {d:.2f}" for n, d in scores.dice[case].items())]
        )
        for case in ranked
        if case in shown
    }
    labelled = len(list((raw / "labelsTr").iterdir()))
    draw(
        sheet,
        captions,
        f"Prompts tuned on {labelled} labelled cases: three test cases",
        job.output / "results.png",
    )


def _version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _prepare() -> None:
    """Put this environment's commands first on the path, and see that all we need is installed."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if importlib.util.find_spec("nnunet_slpt") is None or shutil.which("nnUNetv2_train") is None:
        raise DemoError(
            f"nnunet_slpt and nnU-Net are not both installed for {sys.executable}. "
            "Run `make demo`, or `pip install .` in the root of the repository and then this again."
        )


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Prompt tuning of a pretrained nnU-Net from data to report, on a CPU in minutes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder for all that is made"
    )
    parser.add_argument(
        "--data", type=Path, help="a real task; see examples/demo/own_data.py for how it is laid out"
    )
    parser.add_argument("--cases", type=int, default=5, help="labelled cases to tune on")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of tuning")
    parser.add_argument("--iterations", type=int, default=40, help="iterations in an epoch of tuning")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the data, of the choice of cases and of tuning"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all went well."""
    args = _parser().parse_args(argv)
    start = time.monotonic()
    try:
        _prepare()
        job, steps = plan_job(args)
        print(f"Prompt tuning with nnU-Net, on {job.device}. To run the commands by hand, first:\n")
        for name, value in job.environment.items():
            print(f"    $ export {name}={shlex.quote(value)}")
        run_steps(steps, job.environment, job.output / "logs")
        report(job, args)
    except (DemoError, ValueError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        print("Correct that and run the same command again: it goes on from there.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to go on from there.", file=sys.stderr)
        return 130
    print(f"\nAll done in {time.monotonic() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
