"""Make the demo's lesion task larger, and lay it out as the real tasks are, for `evidence.py`.

    python benchmarks/synthetic_task.py --output /tmp/synthetic
    python benchmarks/evidence.py --task /tmp/synthetic/lesions --network Small --work /tmp/work -- …

The scans, and the network that knows the organ alone, are made as `make campaign` makes them.
"""

import argparse
import json
import sys
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "demo"))

from job import LESIONS, ORGAN, Job, pretrained_model, pretraining_steps
from steps import run_steps
from story import prepare


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--pool", type=int, default=80, help="cases to choose from")
    parser.add_argument("--test", type=int, default=20, help="cases to test")
    parser.add_argument("--pre", type=int, default=20, help="cases to choose settings by")
    parser.add_argument("--seed", type=int, default=0, help="of the data")
    args = parser.parse_args()
    prepare()
    task = args.output.resolve() / "lesions"  # results are named after it
    job = Job(output=args.output.resolve(), dataset=LESIONS, device="cpu")
    run_steps(
        pretraining_steps(job, task, args.pool + args.test + args.pre, 0, args.seed),
        job.environment,
        job.output / "logs",
    )
    numbers = iter(range(args.pool + args.test + args.pre))
    split = {
        part: [f"syntheticlesions_{number:03d}" for number in islice(numbers, count)]
        for part, count in (("pool", args.pool), ("test", args.test), ("pre", args.pre))
    }
    (task / "split.json").write_text(json.dumps(split, indent=1) + "\n")
    model = task / "pretrained" / ORGAN / pretrained_model(job).name
    model.parent.mkdir(parents=True, exist_ok=True)
    if not model.is_symlink():
        model.symlink_to(pretrained_model(job))
    return 0


if __name__ == "__main__":
    sys.exit(main())
