"""The command ``nnunet_slpt_simulate``: a parser over ``workflow.simulate``.

Must not import torch before the arguments are read.
"""

__all__ = ["main"]

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from nnunet_slpt.command import answer, whole_number
from nnunet_slpt.config import PromptConfig
from nnunet_slpt.selection.request import DEVICES

DESCRIPTION = """Compare tuning methods and selection strategies on a dataset that is labelled already.

Every method with every strategy and seed, from the smallest budget to the largest, each tuned from the same
pretrained model by nnU-Net's own commands. The labels outside the budget are out of the commands' reach; the
test cases train nothing and decide nothing. Call again to go on after an interruption, or to add methods,
strategies, seeds and larger budgets."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 if all cells are there, 1 if some failed, 2 if it could not begin."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    from nnunet_slpt.simulation.plan import plan_simulation
    from nnunet_slpt.simulation.request import Request
    from nnunet_slpt.simulation.workflow import simulate

    request = Request(
        dataset=arguments.d,
        models=tuple(arguments.m),
        output=arguments.o,
        methods=tuple(arguments.methods),
        strategies=tuple(arguments.strategies),
        budgets=tuple(one for one in ",".join(arguments.budgets).split(",") if one.strip()),
        seeds=tuple(arguments.seeds),
        test=arguments.test,
        pool=arguments.pool,
        configuration=arguments.c,
        epochs=arguments.epochs,
        iterations=arguments.iterations,
        batch_size=arguments.batch_size,
        device=arguments.device,
        gpus=tuple(arguments.gpus),
        processes=arguments.npp,
        jobs=arguments.jobs,
        parts=arguments.num_parts,
        part=arguments.part_id,
        mirroring=not arguments.disable_tta,
        calibrate=arguments.calibrate,
        tolerance_mm=arguments.tolerance_mm,
        command=shlex.join(["nnunet_slpt_simulate", *sys.argv[1:]]),
    )
    if arguments.dry_run:
        print(plan_simulation(request).text())
        return 0
    return 0 if simulate(request) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_simulate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="name or number of a labelled dataset")
    add(
        "-m",
        required=True,
        nargs="+",
        type=Path,
        metavar="MODEL",
        help="the pretrained model's folder; a U-Net's and a PUNet's, to compare both",
    )
    add("-o", required=True, type=Path, metavar="FOLDER", help="for everything that is made")
    add("-c", metavar="CONFIGURATION", help="configuration of the models (default: the only one)")
    add("--dry_run", action="store_true", help="check, count the cells, and stop")
    compared = parser.add_argument_group("what is compared")
    _add_grid(compared)
    _add_division(compared)
    _add_training(parser.add_argument_group("the same for all"))
    _add_machines(parser.add_argument_group("machines"))
    return parser


def _add_grid(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--methods",
        nargs="+",
        default=["slpt", "full_adamw"],
        metavar="NAME",
        help="tuning methods, see docs/reference/tuning-methods.md (default: slpt full_adamw)",
    )
    add(
        "--strategies",
        nargs="+",
        default=["random"],
        metavar="NAME",
        help="strategies of nnunet_slpt_select, two in tandem too, as in random+hybrid (default: random)",
    )
    add(
        "--budgets",
        nargs="+",
        default=["5%", "10%", "20%"],
        metavar="N",
        help="numbers of labelled cases, or percentages of the pool; 5,10,20 too (default: 5%% 10%% 20%%)",
    )
    add(
        "--seeds",
        nargs="+",
        type=whole_number(0),
        default=[0, 1, 2],
        metavar="N",
        help="of choice, initialisation and order (default: 0 1 2)",
    )


def _add_division(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--test",
        default="20%",
        metavar="FILE",
        help="file with the names of the test cases; or how many of the labelled cases to draw for it, image "
        "by image, as a number or percentage (default: 20%%)",
    )
    add(
        "--pool",
        type=Path,
        metavar="FILE",
        help="file with the names of the cases to choose from (default: all labelled but the test cases)",
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--epochs", type=whole_number(1), default=40, metavar="N", help="epochs of each tuning (default: 40)")
    iterations = PromptConfig().iterations_per_epoch
    add(
        "--iterations",
        type=whole_number(1),
        default=iterations,
        metavar="N",
        help=f"optimizer steps in an epoch (default: {iterations})",
    )
    add(
        "--batch_size",
        type=whole_number(1),
        metavar="N",
        help="patches in a batch (default: 2, by nnU-Net's rule)",
    )
    add(
        "--disable_tta",
        action="store_true",
        help="predict and choose without mirroring: up to 8 times faster",
    )
    add(
        "--tolerance_mm",
        type=float,
        default=2.0,
        metavar="MM",
        help="tolerance of the surface distance (default: 2)",
    )
    add(
        "--calibrate",
        action="store_true",
        help="after each tuning predict the rest of the pool too, and compare the strategy's uncertainty "
        "with the error (default: test cases alone)",
    )


def _add_machines(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-device", default="cuda", choices=DEVICES, help="where the networks run (default: cuda)")
    add(
        "-npp",
        type=whole_number(0),
        default=3,
        metavar="N",
        help="processes of each command (default: 3; 0: none beside it)",
    )
    add(
        "--jobs", type=whole_number(1), default=1, metavar="N", help="campaigns at the same time (default: 1)"
    )
    add("--gpus", nargs="+", default=[], metavar="N", help="numbers of the GPUs to spread the jobs over")
    add("-num_parts", type=int, default=1, help="calls that share the campaigns, on a cluster")
    add("-part_id", type=int, default=0, help="which of them this is, from 0 on")
