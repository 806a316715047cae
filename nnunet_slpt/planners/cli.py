"""The command ``nnunet_slpt_plan``: a parser over ``SLPTPlanner``, for a PUNet over ``write_pretraining``."""

__all__ = ["add_model", "add_options", "main"]

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.command import answer, stdout_for_json, whole_number
from nnunet_slpt.config import STEMS
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.files import check_writable
from nnunet_slpt.planners import report
from nnunet_slpt.planners.draft import PLANS_NAME, Request, draft_plans
from nnunet_slpt.planners.planner import SLPTPlanner
from nnunet_slpt.planners.punet import PretrainingRequest, draft_pretraining, write_pretraining
from nnunet_slpt.planners.punet import report as punet_report
from nnunet_slpt.planners.punet.draft import PUNET_PLANS_NAME
from nnunet_slpt.planners.punet.sizes import FEATURES
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.transfer import Wishes

DESCRIPTION = """Plans for a dataset: tune inside a pretrained nnU-Net (-m), or pretrain a PUNet (--punet).

With -m, network, patch, spacing and normalisation are the model's; batch size, reader and the block "slpt"
are made for the dataset. nnUNetv2_train then needs no -pretrained_weights. With --punet, nnU-Net's own
planner decides all but the network. Cases without a label are no problem."""
# What would have no effect with --punet, and with -m.
OF_A_MODEL = {"fold": "-f", "checkpoint": "-chk", "prompts": "-K", "stem": "--stem"}
OF_PRETRAINING = {"features": "--features", "gpu_memory": "--gpu_memory"}


@dataclass(frozen=True)
class _Told:
    """What the command says of plans."""

    as_json: dict[str, Any]
    as_text: str
    plans_file: Path


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 on success, 2 with the reason on stderr if it cannot be done."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    with stdout_for_json(arguments.json):
        told = _to_pretrain(arguments) if arguments.punet else _to_tune(arguments)
    if arguments.json:
        print(json.dumps(told.as_json, indent=1))
    else:
        print(told.as_text)
        print(f"\n{'Nothing was written (--dry_run).' if arguments.dry_run else f'Wrote {told.plans_file}'}")
    return 0


def _to_tune(arguments: argparse.Namespace) -> _Told:
    _refuse(
        arguments, OF_PRETRAINING, "to pretrain a PUNet (--punet)", "the model's network is taken as it is"
    )
    asked = {"dataset": arguments.d, "model": arguments.m, **_asked(arguments, PLANS_NAME)}
    asked |= {name: getattr(arguments, name) for name in OF_A_MODEL}
    if arguments.dry_run:
        draft = draft_plans(Request(**asked))
    else:
        planner = SLPTPlanner(asked.pop("dataset"), **asked)
        planner.plan_experiment()
        draft = planner.draft
    return _Told(report.as_json(draft), report.as_text(draft), draft.plans_file)


def _to_pretrain(arguments: argparse.Namespace) -> _Told:
    _refuse(arguments, OF_A_MODEL, "to tune a model (-m)", "a PUNet is pretrained from scratch")
    asked = {"dataset": arguments.d, **_asked(arguments, PUNET_PLANS_NAME)}
    chosen = {name: getattr(arguments, name) for name in OF_PRETRAINING}
    asked |= {name: value for name, value in chosen.items() if value is not None}
    if not arguments.dry_run:
        check_writable(Target.of(arguments.d).preprocessed)  # before all images are read
    draft = draft_pretraining(PretrainingRequest(**asked))
    if not arguments.dry_run:
        write_pretraining(draft)
    return _Told(punet_report.as_json(draft), punet_report.as_text(draft), draft.plans_file)


def _refuse(arguments: argparse.Namespace, options: Mapping[str, str], meant: str, why: str) -> None:
    given = [flag for name, flag in options.items() if getattr(arguments, name) is not None]
    if given:
        raise PlanningError(f"{', '.join(given)}: meant {meant}; here {why}. Leave that out.")


def _asked(arguments: argparse.Namespace, plans_name: str) -> dict[str, Any]:
    """What both kinds of request take."""
    patch = tuple(arguments.patch_size) if arguments.patch_size else None
    return {
        "configuration": arguments.c,
        "plans_name": plans_name if arguments.p is None else arguments.p,
        "wishes": Wishes(patch, arguments.batch_size),
        "epochs": arguments.epochs,
        "overwrite": arguments.overwrite,
        "processes": arguments.npp,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_plan",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    origin = parser.add_mutually_exclusive_group(required=True)
    add_model(origin)
    origin.add_argument("--punet", action="store_true", help="pretrain a PUNet on this dataset, from scratch")
    add_options(parser, punet=True)
    add = parser.add_argument
    names = f"{PLANS_NAME}, with --punet {PUNET_PLANS_NAME}"
    add("-p", "-plans_name", metavar="PLANS", help=f"name of the new plans (default: {names})")
    add("--epochs", type=whole_number(1), metavar="N", help="epochs of the training (default: 200)")
    add("-K", "--prompts", type=whole_number(1), metavar="K", help="number of prompts (default: 3)")
    published = " ".join(map(str, FEATURES))
    add(
        "--features",
        nargs="+",
        type=int,
        metavar="N",
        help=f"with --punet: channels of each of its stages, from the finest (default: {published})",
    )
    add(
        "--gpu_memory",
        type=float,
        metavar="GB",
        help="with --punet: gigabytes that the pretraining may take (default: 8)",
    )
    add("--overwrite", action="store_true", help="replace plans of this name; they are kept beside")
    add("--dry_run", action="store_true", help="check and tell, but write nothing")
    add("--json", action="store_true", help="print the report as JSON; everything else goes to stderr")
    return parser


def add_model(where: argparse._ActionsContainer, **more: Any) -> None:
    """The option that names a pretrained model.

    Args:
        where: gets it.
        **more: as ``add_argument`` takes it.
    """
    where.add_argument("-m", type=Path, metavar="MODEL", help="model folder, or an exported zip", **more)


def add_options(parser: argparse.ArgumentParser, punet: bool = False) -> None:
    """What each command asks of a dataset, and of a model beside it.

    Args:
        parser: that gets these options.
        punet: it has ``--punet`` as well.
    """
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="name or number of the dataset")
    add(
        "-c",
        metavar="CONFIGURATION",
        help="configuration of the model, where a folder or zip has several (default: the only one)"
        + ("; with --punet plan this one alone (default: all)" if punet else ""),
    )
    add("-f", dest="fold", metavar="FOLD", help="fold of the model (default: all, else the lowest number)")
    add(
        "-chk",
        dest="checkpoint",
        metavar="FILE",
        help="name of the model's checkpoint (default: checkpoint_final.pth, else checkpoint_best.pth, else "
        "checkpoint_latest.pth)",
    )
    _add_sizes(parser, punet)
    add(
        "-npp",
        type=whole_number(0),
        default=8,
        metavar="N",
        help="processes that read images (default: 8; 0: none beside this one)",
    )


def _add_sizes(parser: argparse.ArgumentParser, punet: bool) -> None:
    """What may be otherwise than in the model's plans."""
    add = parser.add_argument
    fits = ", with --punet as large as fits the memory" if punet else ""
    add(
        "--patch_size",
        nargs="+",
        type=int,
        metavar="N",
        help=f"voxels along each axis, in the order of the model's (default: the model's{fits})",
    )
    add(
        "--batch_size",
        type=whole_number(1),
        metavar="N",
        help=f"patches in a batch (default: by nnU-Net's rule, from 2 on{fits})",
    )
    add(
        "--stem",
        choices=STEMS,
        help="make the model's first layer fit another number of image channels: repeat its weights over "
        "them in turn, or average them (default: refuse such images)",
    )
