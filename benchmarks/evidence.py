"""Fill cells of the comparison on real data: `nnunet_slpt_simulate` on a task's pool and test cases.

    python benchmarks/evidence.py --task ../shared/data/heart --network Small --work /tmp/work -- \
        --methods slpt full_adamw --budgets 4 8 --seeds 0 --epochs 30 --iterations 20 -device cpu

What comes after `--` goes to the command as it is. The finished cells lie in `results/evidence/NAME`; those
that are there are not made again, on whatever machine they were made. One call with one method, strategy,
budget and seed fills one cell. The folders of the campaigns lie in the work folder and may be lost.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "evidence"
KEPT = ("cells", "report", "simulation.json")


def copy(source: Path, target: Path) -> None:
    """What is kept, over what is there."""
    target.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True, copy_function=copy_file)
        elif (source / name).exists():
            copy_file(source / name, target / name)


def copy_file(source: str | Path, target: str | Path) -> None:
    """In one step: several calls may work on one comparison."""
    write(Path(target), Path(source).read_bytes())


def write(file: Path, content: bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(file)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--task", type=Path, required=True, help="folder with dataset, split.json, pretrained"
    )
    parser.add_argument("--network", default="Small", help="of the pretrained ones")
    parser.add_argument("--punet", type=Path, help="model of `punet_pretraining.py`, to compare with")
    parser.add_argument("--work", type=Path, required=True, help="folder for the campaigns")
    parser.add_argument("--name", help="of the comparison (default: TASK_NETWORK)")
    parser.add_argument("words", nargs="+", metavar="-- OPTIONS", help="of nnunet_slpt_simulate")
    args = parser.parse_args()
    name = args.name or f"{args.task.resolve().name}_{args.network.lower()}"
    output = args.work.resolve() / name
    copy(output, RESULTS / name)  # a call that was killed has not done this
    copy(RESULTS / name, output)
    split = json.loads((args.task / "split.json").read_text())
    for part in ("pool", "test"):
        write(output / f"{part}.json", json.dumps(sorted(split[part])).encode())
    (model,) = (args.task / "pretrained").glob(f"*/*__nnUNetPlans{args.network}__*")
    (dataset,) = args.task.glob("Dataset*")
    models = [model, *([args.punet] if args.punet else [])]
    for one in models:
        link = output / one.name
        if not link.is_symlink():
            link.symlink_to(one.resolve())
    # Relative to the work folder, because each cell tells the command that made it.
    here = Path(name)
    command = [
        str(Path(sys.executable).with_name("nnunet_slpt_simulate")),
        *("-d", dataset.name, "-m", *(here / one.name for one in models), "-o", here),
        *("--pool", here / "pool.json", "--test", here / "test.json", *args.words),
    ]
    own = {"nnUNet_raw": str(args.task.resolve()), "nnUNet_compile": "f"}
    done = subprocess.run(command, env={**os.environ, **own}, cwd=args.work, check=False)
    copy(output, RESULTS / name)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
