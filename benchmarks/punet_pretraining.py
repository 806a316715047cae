"""Pretrain a PUNet on a task's `pre` cases, as nnU-Net's users would, for `evidence.py --punet`.

    python benchmarks/punet_pretraining.py --task ../shared/data/heart --structure LV 3 --work /tmp/punet \
        --features 8 16 32 64 --epochs 25 --iterations 20

The structure is the one that the task's pretrained U-Net knows: a name, and the labels that make it up. It
is segmented beside the self-supervision; with `--alone` it is not. What the training's plans and log tell is
kept in `results/punet_pretraining`. A call that was killed goes on from the training's last checkpoint.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from real_data import CONFIGURATION, announce, run

RESULTS = Path(__file__).parent / "results" / "punet_pretraining"
PLANS = "nnUNetPUNetPlans"
TRAINER = "nnUNetTrainerPUNetPretrain"
NUMBER = 900


def raw_dataset(task: Path, raw: Path, structure: str, values: Sequence[int]) -> Path:
    """An nnU-Net dataset of the `pre` cases with one structure as label."""
    import numpy as np
    import SimpleITK

    (source,) = task.glob("Dataset*")
    about = json.loads((source / "dataset.json").read_text())
    cases = json.loads((task / "split.json").read_text())["pre"]
    target = raw / f"Dataset{NUMBER}_{structure}"
    for folder in ("imagesTr", "labelsTr"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    for case in cases:
        for image in source.glob(f"imagesTr/{case}_????{about['file_ending']}"):
            link = target / "imagesTr" / image.name
            if not link.is_symlink():
                link.symlink_to(image.resolve())
        label = SimpleITK.ReadImage(source / "labelsTr" / f"{case}{about['file_ending']}")
        merged = SimpleITK.GetImageFromArray(
            np.isin(SimpleITK.GetArrayFromImage(label), values).astype("uint8")
        )
        merged.CopyInformation(label)  # type: ignore[no-untyped-call]
        SimpleITK.WriteImage(merged, target / "labelsTr" / f"{case}{about['file_ending']}")
    about |= {"labels": {"background": 0, structure: 1}, "numTraining": len(cases)}
    (target / "dataset.json").write_text(json.dumps(about))
    return target


def plan(args: argparse.Namespace, preprocessed: Path) -> None:
    """Plans as `nnunet_slpt_plan --punet` makes them, with the length and seed that were asked for."""
    file = preprocessed / f"{PLANS}.json"
    if not file.exists():
        patch = ["--patch_size", *args.patch_size] if args.patch_size else []
        run(
            *("nnunet_slpt_plan", "-d", str(NUMBER), "--punet", "-c", CONFIGURATION, "-npp", "1"),
            *("--features", *args.features, "--batch_size", args.batch_size, *patch),
        )
    plans = json.loads(file.read_text())
    plans["slpt"] |= {
        "epochs": args.epochs,
        "iterations_per_epoch": args.iterations,
        "validation_iterations_per_epoch": 1,
        "seed": args.seed,
        "concurrent": [] if args.alone else None,
    }
    file.write_text(json.dumps(plans))


def measured(folder: Path) -> dict[str, object]:
    """What the training's plans and log tell."""
    plans = json.loads((folder / "plans.json").read_text())
    settings = plans["configurations"][CONFIGURATION]
    log = "".join(file.read_text() for file in sorted(folder.glob("fold_all/training_log_*.txt")))
    numbers = {
        "loss": r"train_loss (\S+)",
        "validation_loss": r"val_loss (\S+)",
        "entropy": r"teacher's assignment: (\S+)",
        "dice": r"Pseudo dice \[(?:np\.float64\()?([\d.]+|nan)",
    }
    return {
        "settings": plans["slpt"],
        "patch": settings["patch_size"],
        "batch": settings["batch_size"],
        "features": settings["architecture"]["arch_kwargs"]["features_per_stage"],
        "seconds": round(sum(float(value) for value in re.findall(r"Epoch time: (\S+)", log))),
        **{name: [float(value) for value in re.findall(pattern, log)] for name, pattern in numbers.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, required=True, help="folder with a dataset and split.json")
    parser.add_argument("--structure", nargs="+", required=True, help="name, and values of its labels")
    parser.add_argument("--alone", action="store_true", help="self-supervision, and no class beside it")
    parser.add_argument("--work", type=Path, required=True, help="folder for everything; one a network")
    parser.add_argument("--features", nargs="+", default=["16", "32", "64", "128"], help="of each stage")
    parser.add_argument("--patch_size", nargs="+", help="default: the planner's")
    parser.add_argument("--batch_size", default="2")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--iterations", type=int, default=20, help="of an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    announce(args.work)
    structure, *values = args.structure
    dataset = raw_dataset(args.task, args.work / "raw", structure, [int(value) for value in values])
    plan(args, args.work / "preprocessed" / dataset.name)
    run("nnunet_slpt_preprocess", "-d", str(NUMBER), "-p", PLANS, "-c", CONFIGURATION, "-np", "1")
    run(
        *("nnUNetv2_train", str(NUMBER), CONFIGURATION, "all", "-tr", TRAINER, "-p", PLANS),
        *("-device", args.device, "--c"),
    )
    folder = args.work / "results" / dataset.name / f"{TRAINER}__{PLANS}__{CONFIGURATION}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    kind = "alone" if args.alone else "concurrent"
    result = measured(folder)
    name = f"{args.task.resolve().name}_{kind}_{args.epochs * args.iterations}_{args.seed}.json"
    (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
    print(f"The model: {folder}")


if __name__ == "__main__":
    main()
