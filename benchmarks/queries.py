"""One query, asked by every strategy: whose cases teach most, the start and the training being the same?

For each seed: a few random cases are labelled, K prompts are tuned on them, and every strategy chooses as
many further cases of the pool, by `nnunet_slpt_select`. On start and choice one prompt is tuned from the
pretrained network, the same for all. It is judged on two parts: `pre`, on which the pretrained network saw
another task's labels and by which a default may be chosen, and `test`, by which none may.

    python benchmarks/queries.py --task ../shared/data/heart --work /tmp/work

One JSON a strategy and seed lies in `results/queries/`, beside one a seed with the scores of all cases and
what they should tell, the Dice of the K prompts' prediction. `uncertainty@top` is `uncertainty` with scores
that are put together by `-aggregation top`; without `@` it is `foreground`. Several calls may share the work.
"""

import argparse
import io
import itertools
import json
import os
import random
import shutil
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import real_data

from nnunet_slpt.errors import FileError
from nnunet_slpt.lock import exclusive
from nnunet_slpt.selection.strategies import STRATEGIES
from nnunet_slpt.selection.uncertainty import AGGREGATIONS

PLANS = "nnUNetPlansSmall"
CASES_OF_PRE = 40  # of these at most are predicted, the same for all
AGGREGATION = "foreground"  # of strategies whose names say nothing else
START = "start"  # what a strategy's name is to the others, in the names of files
SECONDS_BETWEEN_LOOKS = 10


@dataclass(frozen=True)
class Query(real_data.Experiment):
    """One strategy's choice and what comes of it; or, with ``START``, what all strategies of a seed share."""

    task: str
    strategy: str
    seed: int
    steps: int
    start: int
    more: int

    def of_start(self, results: Path) -> Path:
        """What the start of this seed found."""
        return results / f"{replace(self, strategy=START).name}.json"


@dataclass(frozen=True)
class Place:
    """Where the work on a seed lies.

    Args:
        task: folder with dataset, ``split.json`` and pretrained networks.
        folder: of the seed.
        threads: of torch.
    """

    task: Path
    folder: Path
    threads: int

    @property
    def dataset(self) -> str:
        return next(self.task.glob("Dataset*")).name

    @property
    def preprocessed(self) -> Path:
        return self.folder / "preprocessed" / self.dataset

    @property
    def pretrained(self) -> Path:
        return next((self.task / "pretrained").glob(f"*/*__{PLANS}__*"))

    @property
    def tuned(self) -> Path:
        """The start's network of K prompts."""
        return next((self.folder / START / self.dataset).glob("*__*"))

    def part(self, name: str) -> list[str]:
        """Cases of `split.json`."""
        return sorted(json.loads((self.task / "split.json").read_text())[name])

    def judges(self) -> dict[str, list[str]]:
        """The cases to predict, by part."""
        pre = self.part("pre")
        some = random.Random(0).sample(pre, min(CASES_OF_PRE, len(pre)))
        return {"pre": sorted(some), "test": self.part("test")}

    def announce(self, results: str) -> None:
        """To nnU-Net, in a process that has not imported it yet."""
        os.environ["nnUNet_preprocessed"] = str(self.preprocessed.parent)
        os.environ["nnUNet_results"] = str(self.folder / results)

    def select(self, budget: int, strategy: str, seed: int, model: Path, *more: str) -> dict[str, Any]:
        """A round, as `nnunet_slpt_select` makes it."""
        from nnunet_slpt.selection.cli import main

        told = io.StringIO()
        name, _, aggregation = strategy.partition("@")
        words = real_data.choosing(self.folder, self.dataset, str(budget), name, seed, model)
        with redirect_stdout(told):
            if main([*words, "-aggregation", aggregation or AGGREGATION, "--json", *more]):
                raise SystemExit(f"{strategy} could not choose.")
        made: dict[str, Any] = json.loads(told.getvalue())
        return made

    def tune(self, cases: list[str], query: Query, **settings: Any) -> Any:
        """A trainer of prompts after its training on some cases."""
        import torch

        from nnunet_slpt.trainers import nnUNetTrainerSLPT

        training, validation = sorted(cases), self.part("pre")[: real_data.VALIDATION_CASES]
        half: type[Any] = real_data.in_half_precision(nnUNetTrainerSLPT)

        class OnCases(half):  # type: ignore[misc,valid-type]
            def do_split(self) -> tuple[list[str], list[str]]:
                return training, validation

        OnCases.__name__ = nnUNetTrainerSLPT.__name__
        torch.set_num_threads(self.threads)
        plans = json.loads((self.preprocessed / f"{PLANS}.json").read_text())
        plans["slpt"] = real_data.short_tuning(query.steps, query.seed) | settings
        checkpoint = next(self.pretrained.glob("fold_*/checkpoint_final.pth"))
        return real_data.train(OnCases, plans, self.preprocessed, checkpoint, query.seed)


def start(query: Query, place: Place, args: argparse.Namespace) -> None:
    """Label some random cases, tune K prompts on them, let every strategy choose.

    With none to start from, those that need no tuned network choose by the pretrained one. If the network
    alone was lost, it is made anew and the record stays, for others were judged by it; on another machine
    the new network may differ in the last digits.
    """
    recorded = query.of_start(args.output)
    place.announce(START)
    shutil.rmtree(place.preprocessed / "slpt_selection", ignore_errors=True)  # of a call that was stopped
    labelled, model, trainer = [], place.pretrained, None
    if query.start:
        labelled = chosen_of(place.select(query.start, "random", query.seed, model))
        if recorded.exists() and {*labelled} != {*json.loads(recorded.read_text())["labelled"]}:
            raise SystemExit(f"{recorded} has not the labelled cases {labelled}: other data or version?")
        trainer = place.tune(labelled, query)
        model = Path(trainer.output_folder_base)
    if recorded.exists():
        return
    rounds = {}
    for strategy in strategies_from(query.start):
        began = time.perf_counter()
        rounds[strategy] = place.select(query.more, strategy, query.seed, model, "--dry_run")
        rounds[strategy]["seconds"] = round(time.perf_counter() - began, 1)
    result = {
        **vars(query),
        "plans": PLANS,
        "labelled": labelled,
        "choices": {name: chosen_of(one) for name, one in rounds.items()},
        "seconds": {name: one["seconds"] for name, one in rounds.items()},
    }
    if trainer:
        rest = scores_of(rounds["uncertainty"])
        dice = {"pool": real_data.case_dice(trainer, sorted(rest))}
        result |= {"scores": rest, "dice": dice, "pretrained_sha256": pretrained_hash(trainer)}
    query.save(result, args.output)


def pretrained_hash(trainer: Any) -> str:
    """SHA-256 of the weights that the training left frozen, as plans and prompt files name it."""
    from nnunet_slpt.pretrained import base_hash

    return base_hash(trainer.startable().frozen_state())


def strategies_from(start: int) -> list[str]:
    """Which can choose from so many labelled cases."""
    return [name for name in STRATEGIES if start or "predictions" not in STRATEGIES[name].needs]


def chosen_of(made: dict[str, Any]) -> list[str]:
    return [case["name"] for case in made["cases"] if case["chosen"]]


def scores_of(made: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {case["name"]: case["scores"] for case in made["cases"]}


def judge(query: Query, place: Place, args: argparse.Namespace) -> None:
    """Tune one prompt on the start and on what the strategy chose."""
    place.announce(query.strategy)
    known = json.loads(query.of_start(args.output).read_text())
    result: dict[str, Any] = {**vars(query), "plans": PLANS}
    if query.strategy in known["choices"]:
        result["chosen"] = known["choices"][query.strategy]
    else:
        model = place.tuned if query.start else place.pretrained
        made = place.select(query.more, query.strategy, query.seed, model, "--dry_run")
        result |= {"chosen": chosen_of(made), "scores": scores_of(made)}
    trainer = place.tune([*known["labelled"], *result["chosen"]], query, prompts=1)
    dice = {part: real_data.case_dice(trainer, cases) for part, cases in place.judges().items()}
    result |= {"dice": dice, "pretrained_sha256": pretrained_hash(trainer)}
    query.save(result, args.output)
    shutil.rmtree(place.folder / query.strategy)


def is_started(query: Query, place: Place, args: argparse.Namespace) -> bool:
    """Whether the start of this seed has its record and, if a strategy has yet to choose, its network."""
    if not query.of_start(args.output).exists():
        return False
    choices = json.loads(query.of_start(args.output).read_text())["choices"]
    others = [replace(query, strategy=word) for word in args.strategies if word not in choices]
    undone = [one for one in others if not (args.output / f"{one.name}.json").exists()]
    tuned = (place.folder / START / place.dataset).glob("*__*/fold_*/checkpoint_final.pth")
    return not (query.start and undone) or any(tuned)


def work(query: Query, place: Place, args: argparse.Namespace) -> bool:
    """Do one, unless another call works on it or on its start; whether it is done."""
    started = is_started(query, place, args)
    if (args.output / f"{query.name}.json").exists() and (started or query.strategy != START):
        return True
    if query.strategy != START and not started:
        return False
    try:
        with exclusive(place.folder / "locks" / query.strategy):
            real_data.own_dataset(place.task, args.work / "preprocessed", place.folder)
            real_data.in_child(start if query.strategy == START else judge, query, place, args)
    except FileError:
        return False
    print(query.name, flush=True)
    return True


def way(word: str) -> str:
    """A strategy, perhaps with an aggregation."""
    name, _, aggregation = word.partition("@")
    if name not in STRATEGIES or aggregation not in ("", *AGGREGATIONS):
        raise argparse.ArgumentTypeError(
            f"{word}: one of {', '.join(STRATEGIES)}, @{', @'.join(AGGREGATIONS)}"
        )
    return word


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", type=Path, required=True, help="folder of the task")
    parser.add_argument("--work", type=Path, required=True, help="folder for preprocessed data and models")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "queries")
    parser.add_argument(
        "--strategies", nargs="+", type=way, default=[*STRATEGIES], metavar="NAME[@AGGREGATION]"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--start", type=int, default=4, help="random cases to begin with; may be 0")
    parser.add_argument("--more", type=int, default=12, help="cases that a strategy chooses")
    parser.add_argument("--steps", type=int, default=200, help=f"a multiple of {real_data.SHORT_EPOCH}")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    args.work = args.work.resolve()
    real_data.announce(args.work)
    real_data.prepare(args.task, [PLANS], args.work)
    able = strategies_from(args.start)
    args.strategies = [word for word in args.strategies if word.partition("@")[0] in able]
    left = [
        Query(args.task.name, strategy, seed, args.steps, args.start, args.more)
        for seed, strategy in itertools.product(args.seeds, (START, *args.strategies))
    ]
    while left:
        undone = []
        for query in left:
            folder = args.work / "queries" / query.of_start(args.output).stem
            place = Place(args.task.resolve(), folder, args.threads)
            if not work(query, place, args):
                undone.append(query)
        if len(undone) == len(left):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        left = undone
    return 0


if __name__ == "__main__":
    sys.exit(main())
