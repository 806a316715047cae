"""Prompt tuning against full fine-tuning on real data: Dice on test cases after equal optimizer steps.

A cell is one task, network, method, number of training cases and random subset. Each finished cell is one
JSON file; a run that was stopped goes on with the cells that are missing, and several can share the work.

    python benchmarks/tuning.py --data ../shared/data --work /tmp/tuning --cases 4 8 --subsets 0 1 2

Every method sees the same subset, pretrained weights, batch size and number of optimizer steps. `sgd` and
`adamw` are stock full fine-tuning. On a CPU that knows bfloat16 the network (not the augmentation) runs in
it. The subset is drawn from `pool`; `test` cases are predicted once, after the last step, with mirroring;
nothing is chosen on them.
"""

import argparse
import contextlib
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
from real_data import Experiment, evaluate, in_half_precision, mean

METHODS = ("slpt", "adamw", "sgd")
ADAMW_RATE = 3e-3


@dataclass(frozen=True)
class Cell(Experiment):
    """One experiment; its name is its file's."""

    task: str
    plans: str
    method: str
    cases: int
    subset: int
    steps: int


def trainer_for(cell: Cell, training: list[str], validation: list[str]) -> type[Any]:
    """The method's trainer, on the given cases, without checkpoints."""
    import torch
    from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    from nnunet_slpt.trainers import nnUNetTrainerSLPT

    base = in_half_precision(nnUNetTrainerSLPT if cell.method == "slpt" else nnUNetTrainer)

    class CellTrainer(base):  # type: ignore[misc,valid-type]
        def do_split(self) -> tuple[list[str], list[str]]:
            return training, validation

        def configure_optimizers(self) -> Any:
            if cell.method != "adamw":
                return super().configure_optimizers()
            optimizer = torch.optim.AdamW(self.network.parameters(), ADAMW_RATE)
            return optimizer, PolyLRScheduler(optimizer, ADAMW_RATE, self.num_epochs)

    return CellTrainer


def train(cell: Cell, task: Path, training: list[str]) -> Any:
    """A trained trainer."""
    folder = Path(os.environ["nnUNet_preprocessed"]) / next(task.glob("Dataset*")).name
    plans = json.loads((folder / f"{cell.plans}.json").read_text())
    epochs = cell.steps // real_data.STEPS_PER_EPOCH
    if cell.method == "slpt":
        plans["slpt"] = {
            "epochs": epochs,
            "iterations_per_epoch": real_data.STEPS_PER_EPOCH,
            "validation_iterations_per_epoch": 1,
            "seed": cell.subset,
        }
    return real_data.train(
        # nnU-Net wants validation cases; their patches are logged and used for nothing, so training cases do.
        trainer_for(cell, training, training),
        plans,
        folder,
        next((task / "pretrained").glob(f"*/*__{cell.plans}__*/fold_all/checkpoint_final.pth")),
        cell.subset,
        num_epochs=epochs,
        num_iterations_per_epoch=real_data.STEPS_PER_EPOCH,
        num_val_iterations_per_epoch=1,
        disable_checkpointing=True,
    )


def without_prompts(trainer: Any, cases: list[str]) -> dict[str, float]:
    """Mean Dice, unmirrored, with prompts as tuned, zeroed, permuted (to the next one's heads), averaged."""
    import torch

    prompts = trainer.prompted.prompts
    with torch.no_grad():
        maps = prompts()
    changed = {
        "as tuned": maps,
        "zeroed": torch.zeros_like(maps),
        "permuted": maps.roll(1, 0),
        "averaged": maps.mean(0, keepdim=True).expand_as(maps),
    }
    original, results = prompts.forward, {}
    for name, given in changed.items():
        prompts.forward = lambda given=given: given
        results[name] = mean(evaluate(trainer, cases, mirroring=False))
    prompts.forward = original
    return results


def run_cell(cell: Cell, data: Path, output: Path) -> None:
    import numpy as np
    import torch

    import nnunet_slpt

    split = json.loads((data / cell.task / "split.json").read_text())
    draw = np.random.default_rng([cell.subset, cell.cases])
    training = sorted(str(case) for case in draw.choice(sorted(split["pool"]), cell.cases, replace=False))
    test = sorted(split["test"])
    start = time.perf_counter()
    trainer = train(cell, data / cell.task, training)
    seconds = time.perf_counter() - start
    dice = evaluate(trainer, test)
    result: dict[str, Any] = {
        **asdict(cell),
        "training_cases": training,
        "dice": mean(dice),
        "dice_per_label": dice,
    }
    if cell.method == "slpt":
        result["dice_with_changed_prompts"] = without_prompts(trainer, test)
        result["parameters"] = trainer.prompted.parameter_summary()
        result["config"] = trainer.config.as_block()
    result |= {"train_seconds": round(seconds), "versions": [nnunet_slpt.__version__, torch.__version__]}
    cell.save(result, output)
    print("RESULT", cell.name, result["dice"], dice, result.get("dice_with_changed_prompts", ""), flush=True)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with the tasks `heart` and `hippocampus`"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for preprocessed data and logs")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "tuning")
    parser.add_argument("--tasks", nargs="+", default=["heart", "hippocampus"])
    parser.add_argument("--plans", default="nnUNetPlansSmall", help="which of the pretrained networks")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--cases", nargs="+", type=int, default=[4, 8])
    parser.add_argument("--subsets", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--part", nargs=2, type=int, default=[0, 1], metavar=("I", "N"), help="every Nth cell, from I"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    real_data.announce(args.work, f"results_{os.getpid()}")
    import torch

    torch.set_num_threads(args.threads)
    for task in args.tasks:
        real_data.prepare(args.data / task, [args.plans], args.work)
    grid = itertools.product(args.subsets, args.cases, args.tasks, args.methods)
    cells = [Cell(task, args.plans, method, n, subset, args.steps) for subset, n, task, method in grid]
    part, parts = args.part
    for cell in cells[part::parts]:
        if (args.output / f"{cell.name}.json").exists():
            continue
        log = args.work / f"{cell.name}.log"
        with log.open("w") as file, contextlib.redirect_stdout(file):
            run_cell(cell, args.data, args.output)
        print(log.read_text().splitlines()[-1], flush=True)
    shutil.rmtree(os.environ["nnUNet_results"], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
