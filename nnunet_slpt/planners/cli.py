"""The command ``nnunet_slpt_plan``: a parser over ``SLPTPlanner``, or ``draft_plans`` for a dry run."""

__all__ = ["add_model_options", "main"]

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from nnunet_slpt.command import answer
from nnunet_slpt.config import STEMS
from nnunet_slpt.planners.draft import PLANS_NAME, Draft, Request, draft_plans
from nnunet_slpt.planners.planner import SLPTPlanner
from nnunet_slpt.planners.report import as_json, as_text
from nnunet_slpt.planners.transfer import Wishes

DESCRIPTION = """Plans for a dataset from a pretrained nnU-Net, to tune prompts inside it.

Network, patch, spacing and normalisation are the model's; batch size, reader and the block "slpt" are made
for the dataset. Cases without a label are no problem. nnUNetv2_train then needs no -pretrained_weights."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 on success, 2 with the reason on stderr if it cannot be done."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    # With --json, stdout is for the JSON alone, and nnU-Net prints as well.
    with redirect_stdout(sys.stderr if arguments.json else sys.stdout):
        draft = _plan(arguments)
    if arguments.json:
        print(json.dumps(as_json(draft), indent=1))
    else:
        print(as_text(draft))
        print(f"\n{'Nothing was written (--dry_run).' if arguments.dry_run else f'Wrote {draft.plans_file}'}")
    return 0


def _plan(arguments: argparse.Namespace) -> Draft:
    asked = _asked(arguments)
    if arguments.dry_run:
        return draft_plans(Request(**asked))
    planner = SLPTPlanner(asked.pop("dataset"), **asked)
    planner.plan_experiment()
    return planner.draft


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """As a ``Request`` takes it."""
    patch = tuple(arguments.patch_size) if arguments.patch_size else None
    return {
        "dataset": arguments.d,
        "model": arguments.m,
        "configuration": arguments.c,
        "fold": arguments.f,
        "checkpoint": arguments.chk,
        "plans_name": arguments.p,
        "wishes": Wishes(patch, arguments.batch_size),
        "epochs": arguments.epochs,
        "prompts": arguments.prompts,
        "stem": arguments.stem,
        "overwrite": arguments.overwrite,
        "processes": arguments.npp,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_plan",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_options(parser)
    add = parser.add_argument
    add("-p", "-plans_name", default=PLANS_NAME, metavar="PLANS", help=f"of the new plans ({PLANS_NAME})")
    add("--epochs", type=int, metavar="N", help="of the tuning (default: 200)")
    add("-K", "--prompts", type=int, metavar="K", help="number of prompts (default: 3)")
    add("--overwrite", action="store_true", help="replace plans of this name; they are kept beside")
    add("--dry_run", action="store_true", help="check and tell, but write nothing")
    add("--json", action="store_true", help="print the report as JSON; everything else goes to stderr")
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """What each command asks that sets a model beside a dataset.

    Args:
        parser: that gets these options.
    """
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="dataset name or number")
    add("-m", required=True, type=Path, metavar="MODEL", help="model folder, or an exported zip")
    add("-c", metavar="CONFIGURATION", help="which of the models in a zip; default: the only one")
    add("-f", metavar="FOLD", help="default: all, else the lowest")
    add("-chk", metavar="FILE", help="default: checkpoint_final.pth, else best, else latest")
    add("--patch_size", nargs="+", type=int, metavar="N", help="voxels an axis; default: the model's")
    add("--batch_size", type=_from_one, metavar="N", help="default: by nnU-Net's rule")
    add("--stem", choices=STEMS, help="make the first layer fit another number of channels")
    add("-npp", type=int, default=8, metavar="N", help="processes that read images (default: 8)")


def _from_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return number
