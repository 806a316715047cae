"""Time and memory of choosing cases with each strategy, in a pool of the given size and in half of it.

Each run is a process of its own. Time is that of checking and choosing: on the clock, and of CPU, which other
work on the machine changes less. Memory is the process's peak, with Python, the libraries and the features in
it. Linux only.

    python benchmarks/strategies.py --cases 100000 --features 1000 --budget 1000
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_slpt.selection.strategies import STRATEGIES, Candidates, check_candidates, make_strategy

OUTPUT = Path(__file__).parent / "results" / "strategies.json"
GROUPS, CLASSES, LABELLED = 50, 3, 100


def features_of(cases: int, features: int, rng: np.random.Generator) -> np.ndarray:
    """Groups of cases that differ in all directions, filled in place: the peak is not that of making them."""
    centres = rng.standard_normal((GROUPS, features), np.float32)
    array = np.empty((cases, features), np.float32)
    for row in range(cases):
        rng.standard_normal(out=array[row], dtype=np.float32)
        array[row] += centres[rng.integers(GROUPS)]
    return array


def pool(cases: int, features: int, needs: frozenset[str]) -> Candidates:
    """A pool with what a strategy needs, and the features of ``LABELLED`` labelled cases."""
    rng = np.random.default_rng(0)
    given: dict[str, Any] = {}
    if "features" in needs:
        array = features_of(cases + LABELLED, features, rng)
        given |= {"features": array[:cases], "labelled_features": array[cases:]}
    if "predictions" in needs:
        scores = ("inter_prompt", "intra_prompt", "entropy", "prompt_dice")
        given["scores"] = {name: rng.random(cases, np.float32) for name in scores}
        given["class_entropy"] = rng.random((cases, CLASSES), np.float32)
    if "labels" in needs:
        given["foreground_voxels"] = rng.integers(0, 3, cases).astype(np.float32)
    return Candidates(tuple(f"case_{number:09d}" for number in range(cases)), round_number=1, **given)


def measure(name: str, cases: int, args: argparse.Namespace) -> dict[str, float]:
    """Time and peak memory of one choice, in this process."""
    strategy = make_strategy(name, {})
    candidates = pool(cases, args.features, strategy.needs)
    start, start_cpu = time.perf_counter(), time.process_time()
    check_candidates(strategy, candidates, args.budget)
    strategy.choose(candidates, args.budget, np.random.default_rng(0))
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "CPU seconds": round(time.process_time() - start_cpu, 2),
        "peak MiB": round(peak_mib()),
    }


def peak_mib() -> float:
    """The most memory that this process has had, from Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def measure_apart(name: str, cases: int, args: argparse.Namespace) -> dict[str, float]:
    """The same in a process of its own, with the given number of threads."""
    command = [sys.executable, __file__, "--one", name, str(cases)]
    command += ["--features", str(args.features), "--budget", str(args.budget)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(args.threads))
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **threads})
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def words(result: dict[str, float]) -> str:
    seconds, cpu, peak = result.values()
    return f"{seconds:6.1f} s ({cpu:6.1f} s of CPU) {peak:5.0f} MiB"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--one", nargs=2, metavar=("STRATEGY", "CASES"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]), args)))
        return 0
    settings = ("cases", "features", "budget", "threads")
    report: dict[str, Any] = {
        "settings": {key: getattr(args, key) for key in settings},
        "numpy": np.__version__,
        "machine": platform.machine(),
        "strategies": {},
    }
    for name in args.strategies:
        half, whole = (measure_apart(name, cases, args) for cases in (args.cases // 2, args.cases))
        report["strategies"][name] = {"half": half, "whole": whole}
        print(f"{name:18s} {words(whole)}; half the cases {words(half)}", flush=True)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
