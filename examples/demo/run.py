"""The whole job of prompt tuning, by nnU-Net's own commands: what ``make demo`` runs.

Pretrain on an organ, tune prompts for organ and lesions on five labelled cases, predict, evaluate, report.
With ``--data`` a real task and its pretrained network take the place of the pretraining. Run again, it goes
on where it stopped. Owns the order of the job and its report; the commands are in ``job``.

Example::

    python examples/demo/run.py --output demo_output
"""

__all__ = ["main"]

import argparse
import functools
import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any

from job import (
    LESIONS,
    Job,
    evaluation_steps,
    planning_step,
    pretrained_model,
    pretraining_steps,
    tuning_step,
)
from own_data import Task, choose, find_task, link_dataset
from picture import Sheet, draw
from report import Scores, read_scores, table, write_report
from steps import Function, Step
from story import add_tuning_arguments, job_options, tell

TEST_CASES = 8
PRETRAINER = "nnUNetTrainer_1epoch"  # 250 steps; the organ is easy, and this is a demo


def plan_job(args: argparse.Namespace) -> tuple[Job, list[Step]]:
    """Decide what is done, from the command line.

    Raises:
        DemoError: ``--data`` is not laid out as it should be.
    """
    if args.data is None:
        job = Job(dataset=LESIONS, pretrainer=PRETRAINER, **job_options(args))
        first, model = (
            pretraining_steps(job, job.raw, args.cases, TEST_CASES, args.seed),
            pretrained_model(job),
        )
    else:
        task = find_task(args.data.resolve())
        job = Job(dataset=task.dataset.name, **job_options(args))
        first, model = [_linking_step(job, task, choose(task.pool, args.cases, args.seed))], task.pretrained
    truth = job.raw / job.dataset / "labelsTs"
    evaluation = evaluation_steps(job, truth, job.output / "predictions")
    return job, [*first, planning_step(job, model), tuning_step(job), *evaluation]


def _linking_step(job: Job, task: Task, training: Sequence[str]) -> Step:
    """Take some labelled cases of a real dataset, and its test cases."""
    return Step(
        name="data",
        title=f"Link {len(training)} labelled, {len(task.test)} test cases",
        actions=[
            Function(
                f"link {' '.join(training)} and the test cases of {task.dataset} -> {job.raw}",
                functools.partial(link_dataset, task, training, training, job.raw),
            )
        ],
        outputs=[job.raw / job.dataset / "dataset.json"],
    )


def report(job: Job, args: argparse.Namespace) -> None:
    """Print the table and write it, with a picture, into the output folder."""
    raw = job.raw / job.dataset
    scores = read_scores(job.output / "predictions" / "summary.json", raw / "dataset.json")
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
    shown = cases_to_show(scores.worst_to_best()[::-1])
    sheet = Sheet(
        images=raw / "imagesTs",
        truth=raw / "labelsTs",
        prediction=job.output / "predictions",
        file_ending=description["file_ending"],
        classes=scores.classes,
        is_ct=next(iter(description["channel_names"].values())).lower() == "ct",
    )
    captions = {
        case: "\n".join([f"{place} case", case, "", *(f"{n} {d:.2f}" for n, d in scores.dice[case].items())])
        for case, place in shown.items()
    }
    labelled = len(list((raw / "labelsTr").iterdir()))
    draw(
        sheet,
        captions,
        f"Prompts tuned on {labelled} labelled cases: {len(shown)} test case{'s' * (len(shown) > 1)}",
        job.output / "results.png",
    )


def cases_to_show(ranked: Sequence[str]) -> dict[str, str]:
    """What the cases to draw are called; of two there is no middle one, and one is neither best nor worst.

    Args:
        ranked: the best case first.
    """
    if len(ranked) == 1:
        return {ranked[0]: "only"}
    middle = {ranked[len(ranked) // 2]: "middle"} if len(ranked) > 2 else {}
    return {ranked[0]: "best", **middle, ranked[-1]: "worst"}


def _version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Prompt tuning of a pretrained nnU-Net from data to report, on a CPU in minutes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=5, help="labelled cases to tune on")
    add_tuning_arguments(parser, output="demo_output")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all went well."""
    args = _parser().parse_args(argv)
    return tell("Prompt tuning", lambda: plan_job(args), lambda job: report(job, args))


if __name__ == "__main__":
    raise SystemExit(main())
