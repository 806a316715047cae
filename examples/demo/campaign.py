"""A whole annotation campaign by commands: plan, then round by round select, annotate, collect, tune, test.

From a pretrained network and scans without any label to a tuned model. The annotator is played: he copies
the true label of each case that the worklist asks for, and of no other; until then the dataset has none.
Without ``--data`` a network is pretrained and a hundred scans are made on synthetic CT. Run again, it goes on
where it stopped. Owns the command line, the annotator and the report; the commands are in ``job``.

Example::

    python examples/demo/campaign.py --output campaign_output
"""

__all__ = ["main"]

import argparse
import csv
import functools
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from job import (
    LESIONS,
    Job,
    command,
    evaluation_steps,
    planning_step,
    pretrained_model,
    pretraining_steps,
    tuning_step,
)
from own_data import Task, find_task, link_dataset
from report import markdown, read_scores
from steps import Command, DemoError, Function, Step
from story import add_tuning_arguments, job_options, tell

POOL, TEST_CASES = 100, 8


def plan_campaign(args: argparse.Namespace) -> tuple[Job, list[Step]]:
    """Decide what is done, from the command line.

    Raises:
        DemoError: ``--data`` is not laid out as it should be.
    """
    if args.data is None:
        job = Job(dataset=LESIONS, **job_options(args))
        desk = job.output / "annotator"
        cases = [f"syntheticlesions_{number:03d}" for number in range(args.cases + TEST_CASES)]
        task = Task(
            desk / LESIONS, tuple(cases[: args.cases]), tuple(cases[args.cases :]), pretrained_model(job)
        )
        first = pretraining_steps(job, desk, len(cases), 0, args.seed)
    else:
        task, first = find_task(args.data.resolve()), []
        job = Job(dataset=task.dataset.name, **job_options(args))
    rounds = [
        step for number, budget in enumerate(args.budgets) for step in _round(job, task, number, budget)
    ]
    return job, [*first, _linking_step(job, task), planning_step(job, task.pretrained), *rounds]


def _linking_step(job: Job, task: Task) -> Step:
    """Take all images, and no label but those of the test cases."""
    link = functools.partial(link_dataset, task, task.pool, [], job.raw)
    return Step(
        name="data",
        title=f"Link {len(task.pool)} scans without a label, and {len(task.test)} test cases",
        actions=[Function(f"link the images of {task.dataset} -> {job.raw}", link)],
        outputs=[job.raw / job.dataset / "dataset.json"],
    )


def _round(job: Job, task: Task, number: int, budget: str) -> list[Step]:
    """Choose cases, have them annotated, tune on all that is labelled, test."""
    raw, delivered = job.raw / job.dataset, job.output / "annotated" / f"round_{number:02d}"
    rounds = job.preprocessed / job.dataset / "slpt_selection"
    draw = functools.partial(annotate, rounds / "to_annotate.csv", task.dataset / "labelsTr", delivered)
    predict, evaluate = evaluation_steps(job, raw / "labelsTs", _predictions(job, number))
    select = Step(
        name=f"round_{number}_select",
        title=f"Round {number}: choose the next cases, and write what the network makes of them",
        actions=[
            Function(f"see that this is round {number}", functools.partial(require_rounds, job, number)),
            _selection(job, task, budget, number),
        ],
        outputs=[rounds / f"round_{number:02d}.json"],
    )
    collect = Step(
        name=f"round_{number}_annotate",
        title=f"Round {number}: the annotator draws what the worklist asks for, and the labels come in",
        actions=[
            Function(f"draw the cases of {rounds / 'to_annotate.csv'} -> {delivered}", draw),
            command("nnunet_slpt_collect", f"-d {job.number}", "-i", delivered),
        ],
        outputs=[rounds / f"round_{number:02d}_collected.json"],
    )
    tune = tuning_step(job, f"Round {number}: preprocess what is new, tune on all that is labelled")
    test = Step(
        name=f"round_{number}_test",
        title=f"Round {number}: predict the test cases, and compare with the truth",
        actions=[*predict.actions, *evaluate.actions],
        outputs=evaluate.outputs,
    )
    return [select, collect, tune, test]


def _selection(job: Job, task: Task, budget: str, number: int) -> Command:
    """First by the pretrained network, then by the one tuned in the round before; without mirroring."""
    words = f"-d {job.number} -n {budget} --prelabel -device {job.device} -npp 1 -nps 1 --disable_tta"
    if number == 0:
        return command("nnunet_slpt_select", f"{words} -m", task.pretrained)
    return command("nnunet_slpt_select", f"{words} -p {job.plans.stem} -f all")


def require_rounds(job: Job, number: int) -> None:
    """Refuse to choose cases twice, but take back a round that was stopped while its pre-labels were written.

    Such a round is on disk already, and choosing again gives it again, with all its pre-labels.

    Args:
        job: whose rounds they are.
        number: of the round that comes next.

    Raises:
        DemoError: there are more or fewer rounds than that, or a label of the last one is there already.
    """
    folder = job.preprocessed / job.dataset / "slpt_selection"
    there = len(list(folder.glob("round_[0-9][0-9].json")))
    worklist = folder / "to_annotate.csv"
    if there == number + 1 and worklist.is_file() and not _annotation_began(worklist):
        undo = command("nnunet_slpt_select", f"--undo -d {job.number}")
        print(f"    {undo}", flush=True)
        with (job.output / "logs" / f"round_{number}_undo.log").open("w") as log:
            undo.run({**os.environ, **job.environment}, log)
    elif there != number:
        raise DemoError(
            f"{folder} holds {there} rounds, expected {number}: an earlier step was run again, or has other "
            "settings. Take another --output, or remove this one."
        )


def _annotation_began(worklist: Path) -> bool:
    """Whether a case of the worklist has its label."""
    with worklist.open(newline="") as lines:
        return any(Path(line["label_file"]).exists() for line in csv.DictReader(lines))


def annotate(worklist: Path, truth: Path, delivered: Path) -> None:
    """Play the annotator.

    Args:
        worklist: ``to_annotate.csv``.
        truth: folder with a label for each case.
        delivered: folder for the finished labels.
    """
    shutil.rmtree(delivered, ignore_errors=True)  # of another dataset
    delivered.mkdir(parents=True)
    with worklist.open(newline="") as lines:
        for line in csv.DictReader(lines):
            name = Path(line["label_file"]).name
            shutil.copy(truth / name, delivered / name)


def _predictions(job: Job, number: int) -> Path:
    return job.output / "predictions" / f"round_{number:02d}"


def report(job: Job, args: argparse.Namespace) -> None:
    """Print the table of rounds, and write it into the output folder."""
    rounds = [_result(job, number) for number in range(len(args.budgets))]
    names = list(rounds[0]["dice"])
    rows = [["round", "labelled", "pre-labels changed", *names, "mean"]]
    for number, one in enumerate(rounds):
        scores = [*one["dice"].values(), one["mean"]]
        changed = "-" if one["changed"] is None else f"{one['changed']:.0%}"
        rows.append([str(number), str(one["labelled"]), changed, *(f"{score:.3f}" for score in scores)])
    table = markdown(rows)
    print(f"\nDice on the test cases, after each round:\n\n{table}\n")
    about = {"dataset": job.dataset, "seed": args.seed, "prompts": job.prompts, "rounds": rounds}
    (job.output / "campaign.md").write_text(f"# Dice on the test cases\n\n{table}\n")
    (job.output / "campaign.json").write_text(json.dumps(about, indent=2) + "\n")
    for name in ("campaign.md", "campaign.json"):
        print(f"    {job.output / name}")


def _result(job: Job, number: int) -> dict[str, Any]:
    """Who was chosen in a round, how much of the pre-labels was changed, and the scores after it."""
    rounds = job.preprocessed / job.dataset / "slpt_selection"
    chosen = [
        [
            case["name"]
            for case in json.loads((rounds / f"round_{one:02d}.json").read_text())["cases"]
            if case["chosen"]
        ]
        for one in range(number + 1)
    ]
    effort = json.loads((rounds / f"round_{number:02d}_collected.json").read_text())["summary"]
    scores = read_scores(_predictions(job, number) / "summary.json", job.raw / job.dataset / "dataset.json")
    return {
        "chosen": chosen[-1],
        "labelled": sum(map(len, chosen)),
        "changed": effort["changed_voxels"] / effort["foreground_voxels"]
        if effort["foreground_voxels"]
        else None,
        "dice": scores.mean,
        "mean": sum(scores.mean.values()) / len(scores.mean),
    }


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="An annotation campaign with a played annotator, from no label to a tuned model.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--budgets", nargs="+", default=["5", "5", "10"], help="cases to annotate, one a round"
    )
    parser.add_argument("--cases", type=int, default=POOL, help="synthetic scans to choose from")
    add_tuning_arguments(parser, output="campaign_output")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign; 0 when all went well."""
    args = _parser().parse_args(argv)
    return tell("An annotation campaign", lambda: plan_campaign(args), lambda job: report(job, args))


if __name__ == "__main__":
    raise SystemExit(main())
