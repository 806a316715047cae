"""Annotation campaigns replayed on real data: select, tune, test, round by round, against random choice.

For each task, strategy and seed: round 0 chooses by the pretrained network, later rounds by the one tuned in
the round before. Labels are there but hidden; only the cases chosen so far train. The test cases are never
chosen, never trained on and used for no decision; they are predicted without mirroring.

    python benchmarks/campaign.py --data ../shared/data --work /tmp/work

One JSON a campaign lies in `results/campaign/`; a campaign that was stopped goes on after its last round.
"""

import argparse
import itertools
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import real_data

PLANS = "nnUNetPlansSmall"


@dataclass(frozen=True)
class Campaign(real_data.Experiment):
    """One campaign; its name is its file's."""

    task: str
    strategy: str
    seed: int
    steps: int


def stage(campaign: Campaign, task: Path, shared: Path, folder: Path) -> str:
    """A preprocessed dataset folder of this campaign's own, with plans for it; the dataset's name."""
    target = real_data.own_dataset(task, shared, folder)
    file = target / f"{PLANS}.json"
    block = real_data.short_tuning(campaign.steps, campaign.seed)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"slpt": block}))
    return target.name


def choose(
    campaign: Campaign, dataset: str, number: int, budget: str, model: Path, folder: Path
) -> list[str]:
    """One call of the command, unless this round was made before; the chosen cases."""
    from nnunet_slpt.selection.cli import main

    home = Path(os.environ["nnUNet_preprocessed"]) / dataset / "slpt_selection"
    file = home / f"round_{number:02d}.json"
    arguments = real_data.choosing(folder, dataset, budget, campaign.strategy, campaign.seed, model)
    if not file.exists() and main(arguments):
        raise SystemExit(1)
    return [case["name"] for case in json.loads(file.read_text())["cases"] if case["chosen"]]


def tune(dataset: str, checkpoint: Path, threads: int) -> Any:
    """As `nnUNetv2_train DATASET 3d_fullres 0 -tr nnUNetTrainerSLPT`, in half precision where that helps."""
    import torch

    from nnunet_slpt.trainers import nnUNetTrainerSLPT

    torch.set_num_threads(threads)
    folder = Path(os.environ["nnUNet_preprocessed"]) / dataset
    plans = json.loads((folder / f"{PLANS}.json").read_text())
    trainer_class = real_data.in_half_precision(nnUNetTrainerSLPT)
    return real_data.train(trainer_class, plans, folder, checkpoint, plans["slpt"]["seed"])


def run(campaign: Campaign, args: argparse.Namespace, shared: Path) -> None:
    """All rounds of a campaign."""
    task = args.data / campaign.task
    folder = args.work.resolve() / "campaigns" / campaign.name
    dataset = stage(campaign, task, shared, folder)
    os.environ["nnUNet_preprocessed"] = str(folder / "preprocessed")
    os.environ["nnUNet_results"] = str(folder / "results")
    pretrained = next((task / "pretrained").glob(f"*/*__{PLANS}__*"))
    test = sorted(json.loads((task / "split.json").read_text())["test"])
    progress = folder / "rounds.json"
    rounds: list[dict[str, Any]] = json.loads(progress.read_text()) if progress.exists() else []
    for number, budget in enumerate(args.budgets):
        if number < len(rounds):
            continue
        model = Path(rounds[-1]["model"]) if rounds else pretrained
        start = time.perf_counter()
        chosen = choose(campaign, dataset, number, budget, model, folder)
        selected = time.perf_counter()
        trainer = tune(dataset, pretrained / "fold_all" / "checkpoint_final.pth", args.threads)
        tuned = time.perf_counter()
        dice = real_data.evaluate(trainer, test, mirroring=False)
        rounds.append(
            {
                "chosen": chosen,
                "labelled": sum(len(one["chosen"]) for one in rounds) + len(chosen),
                "dice": real_data.mean(dice),
                "dice_per_label": dice,
                "select_seconds": round(selected - start),
                "tune_seconds": round(tuned - selected),
                "model": trainer.output_folder_base,
            }
        )
        progress.write_text(json.dumps(rounds))
        print(campaign.name, rounds[-1]["labelled"], rounds[-1]["dice"], flush=True)
    for one in rounds:
        del one["model"]
    campaign.save({**asdict(campaign), "plans": PLANS, "rounds": rounds}, args.output)
    shutil.rmtree(folder)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the tasks")
    parser.add_argument("--work", type=Path, required=True, help="folder for preprocessed data and models")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "campaign")
    parser.add_argument("--tasks", nargs="+", default=["heart", "hippocampus"])
    parser.add_argument("--strategies", nargs="+", default=["tesla", "random"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--budgets", nargs="+", default=["5%", "5%", "10%"], help="one a round")
    parser.add_argument("--steps", type=int, default=600, help=f"a multiple of {real_data.SHORT_EPOCH}")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    shared = args.work.resolve() / "preprocessed"
    real_data.announce(args.work)
    for task in args.tasks:
        real_data.prepare(args.data / task, [PLANS], args.work)
    grid = itertools.product(args.seeds, args.tasks, args.strategies)
    for seed, task, strategy in grid:
        campaign = Campaign(task, strategy, seed, args.steps)
        if (args.output / f"{campaign.name}.json").exists():
            continue
        real_data.in_child(run, campaign, args, shared)
    return 0


if __name__ == "__main__":
    sys.exit(main())
