"""The command ``nnunet_slpt_select``: a parser over ``workflow.select``, ``status`` and ``undo``.

Must not import torch or nnU-Net before the arguments are read.
"""

__all__ = ["main"]

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnunet_slpt.command import answer, stdout_for_json, whole_number
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.host_conventions import FINAL
from nnunet_slpt.selection.request import DEVICES, Request
from nnunet_slpt.selection.strategies import STRATEGIES, TESLA

DESCRIPTION = """Choose the next cases to annotate and write splits_final.json.

A case of imagesTr is labelled if its file is in labelsTr; the others are the pool. Cases that validate in
every fold of an existing splits_final.json (or those of --val) are never chosen. Round 0 needs any trained
nnU-Net (-m), later rounds one whose prompts can disagree, of nnUNetTrainerSLPT or nnUNetTrainerPUNet; what
chooses by features alone takes any in every round, and random choice needs none."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 on success, 2 with the reason on stderr if it cannot be done."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.n is not None and (arguments.status or arguments.undo):
        raise SelectionError(
            f"-n is given with {'--status' if arguments.status else '--undo'}, expected one of them: the "
            "latter chooses no case. Nothing was changed."
        )
    if arguments.status:
        return _status(arguments)
    if arguments.undo and arguments.dry_run:
        raise SelectionError(
            "--undo is given with --dry_run, expected one of them: a round is taken back or it is not. "
            "--status tells which is the last one."
        )
    if arguments.undo:
        return _undo(arguments)
    request = _request(arguments)
    _set_threads(request.device)
    from nnunet_slpt.selection.handover.prelabel import prelabel
    from nnunet_slpt.selection.workflow import select

    with stdout_for_json(arguments.json):
        made = prelabel(request) if request.budget is None else select(request)
    if made is not None and arguments.json:
        print(json.dumps(asdict(made), indent=1))
    elif made is not None:
        for case in (one for one in made.cases if one.chosen):
            print(f"{case.rank:4d}  {case.name}  {case.reason}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    from nnunet_slpt.selection.workflow import status

    found = status(arguments.d)
    print(json.dumps(found.as_json(), indent=1) if arguments.json else found.text())
    return 0


def _undo(arguments: argparse.Namespace) -> int:
    from nnunet_slpt.selection.desk import Desk
    from nnunet_slpt.selection.handover.prelabel import OPEN

    store = Desk.of(arguments.d, hide_labels=True).store
    undone = store.undo(force=arguments.force)
    there = "is as before it" if store.split_file.exists() else "is not there any more, as before it"
    print(f"Took back round {undone.number} of {len(undone.chosen)} cases; {store.split_file} {there}.")
    changed = store.undone(undone.number, store.split_file.name)
    if arguments.force and changed.exists():
        print(f"The split file as it was found is {changed} now.")
    opened = store.undone(undone.number, OPEN)
    if opened.exists():
        print(
            f"The annotators' folder is {opened} now, with all that was drawn in it: nnunet_slpt_collect -i "
            "takes labels from there too."
        )
    return 0


def _set_threads(device: str) -> None:
    """As nnUNetv2_predict (inference/predict_from_raw_data.py): all cores on a CPU, one beside a GPU."""
    import torch

    torch.set_num_threads((os.cpu_count() or 1) if device == "cpu" else 1)


def _request(arguments: argparse.Namespace) -> Request:
    return Request(
        dataset=arguments.d,
        budget=arguments.n,
        model_folder=arguments.m,
        trainer=arguments.tr,
        plans=arguments.p,
        configuration=arguments.c,
        folds=tuple(arguments.f) if arguments.f else None,
        checkpoint=arguments.chk,
        device=arguments.device,
        preprocessing=arguments.npp,
        scoring=arguments.nps,
        step_size=arguments.step_size,
        mirroring=not arguments.disable_tta,
        parts=arguments.num_parts,
        part=arguments.part_id,
        strategy=arguments.strategy,
        parameters=dict(_parameter(text) for text in arguments.set),
        aggregation=arguments.aggregation,
        stages=arguments.stages,
        seed=arguments.seed,
        hide_labels=arguments.hide_labels,
        partial=arguments.partial,
        skip_unreadable=arguments.skip_unreadable,
        validation_file=arguments.val,
        exclude_file=arguments.exclude,
        dry_run=arguments.dry_run,
        save_maps=arguments.save_maps,
        prelabel=arguments.prelabel,
    )


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SelectionError(f"--set is {text!r}, expected NAME=VALUE, such as --set part=product.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_select",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="dataset name or number")
    add(
        "-n",
        metavar="BUDGET",
        help="how many cases: a number, or a percentage such as 5%% of all that are or were in the pool",
    )
    either = parser.add_mutually_exclusive_group().add_argument
    either("--status", action="store_true", help="tell rounds, labelled, waiting and left; change nothing")
    either("--undo", action="store_true", help="take the last round back")
    add("--force", action="store_true", help="with --undo: also if the split file was changed since")
    add("--json", action="store_true", help="print the round (or the status) as JSON")
    _add_choice(parser.add_argument_group("choice"))
    _add_cases(parser.add_argument_group("cases"))
    _add_model(parser.add_argument_group("model, named as in nnUNetv2_predict"))
    return parser


def _add_choice(group: Any) -> None:
    add = group.add_argument
    add(
        "-strategy",
        default=TESLA,
        metavar="NAME",
        help=f"{', '.join((TESLA, *STRATEGIES))}; or two joined by +: the first until cases are labelled, "
        "then the second (default: tesla, which is kmeans+hybrid)",
    )
    add(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the strategy, such as part=inter_prompt",
    )
    add(
        "-aggregation",
        default="classes",
        metavar="NAME",
        help="how voxel uncertainties become one score per case: classes, foreground, top, mean or sum "
        "(default: classes)",
    )
    add(
        "-stages",
        default="deep_half",
        metavar="NAME",
        help="encoder stages whose features are compared: all, deep_half or deepest (default: deep_half)",
    )
    add("--seed", type=int, default=0, help="of everything random (default: 0)")
    add("--dry_run", action="store_true", help="choose and print, but write no round and no split")
    add("--save_maps", action="store_true", help="write uncertainty maps of the chosen cases (NIfTI)")
    add(
        "--prelabel",
        action="store_true",
        help="write what the model predicts for the chosen cases, to be corrected; without -n for those of "
        "the last round",
    )


def _add_cases(group: Any) -> None:
    add = group.add_argument
    add("--val", type=Path, metavar="FILE", help="names of cases that validate and are never chosen")
    add(
        "--exclude",
        type=Path,
        metavar="FILE",
        help="names of cases to leave out: never chosen, and out of the split",
    )
    add("--hide_labels", action="store_true", help="research: only what earlier rounds chose is labelled")
    add("--partial", action="store_true", help="continue even if chosen cases are not labelled yet")
    add(
        "--skip_unreadable",
        action="store_true",
        help="leave out cases with images that cannot be used, or without all channels",
    )


def _add_model(group: Any) -> None:
    add = group.add_argument
    add(
        "-m",
        type=Path,
        metavar="MODEL_FOLDER",
        help="of any trained nnU-Net, or a folder around it; without it -tr, -p, -c are used",
    )
    add("-tr", default="nnUNetTrainerSLPT", help="trainer (default: nnUNetTrainerSLPT)")
    add("-p", default="nnUNetPlans", help="plans (default: nnUNetPlans)")
    add("-c", help="configuration (default: 3d_fullres, or the only one that there is)")
    add("-f", nargs="+", metavar="FOLD", help="folds (default: all with a number, or else all)")
    add("-chk", default=FINAL, help=f"checkpoint (default: {FINAL})")
    add("-device", default="cuda", choices=DEVICES, help="where the network runs (default: cuda)")
    add(
        "-npp",
        type=whole_number(0),
        default=3,
        help="processes for reading and preprocessing (default: 3; 0: no extra processes)",
    )
    add("-nps", type=whole_number(1), default=3, help="threads for scoring (default: 3)")
    add("-step_size", type=float, default=0.5, help="of the sliding window (default: 0.5)")
    add("--disable_tta", action="store_true", help="no mirroring: up to 8 times faster")
    add("-num_parts", type=int, default=1, help="calls that share the network's work (default: 1)")
    add("-part_id", type=int, default=0, help="which of them this is, from 0 on (default: 0)")
