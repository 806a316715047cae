"""Time of ``nnunet_slpt_preprocess`` for a few new cases against ``nnUNetv2_preprocess`` of all, in turns.

Whole commands, from the shell's point of view; how much of each is Python's start-up with PyTorch and nnU-Net
is told beside it. Wall time depends on what else the machine does, processor time hardly. All arrays of both
are compared at the end.

    python benchmarks/preprocessing.py --task DATA/heart --plans nnUNetPlansSmall
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from real_data import CONFIGURATION

OURS = "import sys; from nnunet_slpt.preprocessing.cli import main; sys.exit(main())"
START_UP = "import nnunetv2.preprocessing.preprocessors.default_preprocessor"


class Side:
    """nnU-Net's folders for one of the two, with links to the images and copies of some labels."""

    def __init__(self, folder: Path, raw: Path, plans: dict[str, Any]) -> None:
        self.source, self.name = raw, raw.name
        self.raw, self.home = folder / "raw" / raw.name, folder / "preprocessed" / raw.name
        self.environment = os.environ | {
            f"nnUNet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")
        }
        for made in (self.raw / "labelsTr", self.home, folder / "results"):
            made.mkdir(parents=True)
        (self.raw / "imagesTr").symlink_to(raw / "imagesTr")
        shutil.copy(raw / "dataset.json", self.raw)
        shutil.copy(raw / "dataset.json", self.home)
        (self.home / f"{plans['plans_name']}.json").write_text(json.dumps(plans))

    def label(self, names: list[str]) -> None:
        for name in names:
            shutil.copy(self.source / "labelsTr" / name, self.raw / "labelsTr")

    def unlabel(self, names: list[str]) -> None:
        for name in names:
            (self.raw / "labelsTr" / name).unlink()

    def clock(self, *command: str) -> dict[str, float]:
        """Seconds of a command and of all processes it starts."""
        start, before = time.perf_counter(), _processor_seconds()
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        return {"wall": time.perf_counter() - start, "processor": _processor_seconds() - before}


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(ours: Path, stock: Path) -> dict[str, int]:
    """How many arrays and pickles there are; exits if one differs."""
    import blosc2

    files = {file.name for file in ours.iterdir()}
    if files != {file.name for file in stock.iterdir()}:
        sys.exit("The two have not the same files.")
    for name in sorted(files):
        if name.endswith(".pkl"):
            same = (ours / name).read_bytes() == (stock / name).read_bytes()
        else:
            a, b = (blosc2.open(str(folder / name)) for folder in (ours, stock))
            same = a.dtype == b.dtype and a.shape == b.shape and a[:].tobytes() == b[:].tobytes()
        if not same:
            sys.exit(f"{name} differs.")
    pickles = sum(name.endswith(".pkl") for name in files)
    return {"arrays, byte-equal": len(files) - pickles, "pickles, byte-equal": pickles}


def measure(args: argparse.Namespace, place: Path) -> dict[str, Any]:
    raw = next(args.task.glob("Dataset*")).resolve()
    plans = json.loads(next(args.task.glob(f"pretrained/*/*__{args.plans}__*/plans.json")).read_text())
    if args.spacing:
        plans["configurations"][CONFIGURATION]["spacing"] = args.spacing
    stock, ours = (Side(place / name, raw, plans) for name in ("stock", "ours"))
    labels = sorted(file.name for file in (raw / "labelsTr").iterdir())
    new, done = labels[-args.new :], labels[: -args.new]
    about = ("-d", str(int(raw.name[7:10])), "-c", CONFIGURATION, "-np", str(args.processes))
    command = (sys.executable, "-c", OURS, *about, "-p", args.plans)
    host = Path(sys.executable).with_name("nnUNetv2_preprocess")
    stock.label(labels)
    ours.label(done)
    rows: dict[str, list[dict[str, float]]] = {"first": [ours.clock(*command)]}
    for _ in range(args.repeats):
        rows.setdefault("start-up", []).append(ours.clock(sys.executable, "-c", START_UP))
        rows.setdefault("stock, all", []).append(stock.clock(str(host), *about, "-plans_name", args.plans))
        ours.label(new)
        rows.setdefault("ours, new", []).append(ours.clock(*command))
        rows.setdefault("ours, nothing to do", []).append(ours.clock(*command))
        identifier = plans["configurations"][CONFIGURATION]["data_identifier"]
        same = compare(ours.home / identifier, stock.home / identifier)
        ours.unlabel(new)
        ours.clock(*command)
    return {"cases": {"new": len(new), "done before": len(done)}, **same, "seconds": _summary(rows)}


def _summary(rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """The quickest of each: whatever else the machine does only adds."""
    return {
        what: {kind: round(min(one[kind] for one in times), 2) for kind in ("wall", "processor")}
        for what, times in rows.items()
    }


def ratios(seconds: dict[str, Any]) -> dict[str, Any]:
    ours, stock, start = (seconds[what] for what in ("ours, new", "stock, all", "start-up"))
    return {
        kind: {
            "whole commands": round(ours[kind] / stock[kind], 3),
            # Five small cases take less than the start-up varies.
            "less one start-up each": round(
                max(0.0, ours[kind] - start[kind]) / (stock[kind] - start[kind]), 3
            ),
        }
        for kind in ("wall", "processor")
    }


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--task", type=Path, required=True, help="folder with the raw dataset and pretrained/"
    )
    parser.add_argument("--plans", default="nnUNetPlansSmall")
    parser.add_argument("--spacing", type=float, nargs=3, help="in mm, instead of the plans' own")
    parser.add_argument("--new", type=int, default=5, help="cases that get their label last")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="-np of both commands")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with tempfile.TemporaryDirectory() as place:
        measured = measure(args, Path(place))
    settings = {key: str(getattr(args, key)) for key in ("plans", "spacing", "processes", "repeats")}
    report = {"settings": settings, **measured, "ratio": ratios(measured["seconds"])}
    print(json.dumps(report, indent=1))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
