"""The command ``nnunet_slpt_preprocess``: a parser over ``workflow.preprocess``.

Must not import torch or nnU-Net before the arguments are read.
"""

__all__ = ["main"]

import argparse
from collections.abc import Sequence

from nnunet_slpt.command import answer, whole_number

DESCRIPTION = """Preprocess the labelled cases of a dataset: only those that are new or changed.

A case of imagesTr is labelled if its file is in labelsTr; the others are left alone, or with --unlabelled
preprocessed too, for pretraining. The cases are made by nnU-Net's own preprocessor, as nnUNetv2_preprocess
makes them. A case that has lost its label is taken out."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 on success, 2 with the reason on stderr if it cannot be done."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    from nnunet_slpt.preprocessing.workflow import preprocess

    done = preprocess(
        arguments.d,
        arguments.p,
        configurations=arguments.c,
        processes=arguments.np,
        unlabelled=arguments.unlabelled,
        entry=arguments.write_dataset_entry,
        dry_run=arguments.dry_run,
        verbose=arguments.verbose,
    )
    if not arguments.dry_run:
        for agenda in done:
            total = len(agenda.kept) + len(agenda.to_make)
            print(f"{agenda.store.folder} holds {total} cases, {len(agenda.to_make)} of them made now.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_preprocess",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="dataset name or number")
    add("-p", default="nnUNetPlans", metavar="PLANS", help="plans (default: nnUNetPlans)")
    add("-c", nargs="+", metavar="CONFIGURATION", help="configurations (default: all of the plans)")
    add("-np", type=whole_number(1), default=4, help="processes, at most (default: 4)")
    add("--unlabelled", action="store_true", help="also the cases without a label, for pretraining")
    add("--dry_run", action="store_true", help="look, tell and check, but change nothing")
    add("--write_dataset_entry", action="store_true", help="list the labelled cases in the raw dataset.json")
    add("--verbose", action="store_true", help="let nnU-Net's preprocessor print what it does")
    return parser
