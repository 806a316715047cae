"""The command ``nnunet_slpt_collect``: a parser over ``collect.collect``.

Must not import torch or nnU-Net before the arguments are read.
"""

__all__ = ["main"]

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from nnunet_slpt.command import answer, stdout_for_json
from nnunet_slpt.selection.handover.collection import Collection

DESCRIPTION = """Take finished labels into labelsTr.

Each file of the folder that is named as a case is checked: does it lie on its image, does it hold the values
of dataset.json and nothing else, is it empty, is it a copy? What is wrong is refused and named; the rest is
copied, and what was changed of the pre-labels is reported. A label that is there is never lost."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 if all labels are in, 1 if some are refused, 2 if nothing could be done."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    from nnunet_slpt.selection.handover.collect import collect

    asked = Collection(
        dataset=arguments.d,
        folder=arguments.i,
        overwrite=arguments.overwrite,
        allow_empty=arguments.allow_empty,
        as_predicted=arguments.as_predicted,
        dry_run=arguments.dry_run,
    )
    with stdout_for_json(arguments.json):
        collected = collect(asked)
    if collected.refused:
        sys.stderr.write(f"{collected.complaints()}\n")
    print(json.dumps(collected.as_json(), indent=1) if arguments.json else collected.text())
    return collected.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_collect",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-d", required=True, metavar="DATASET", help="dataset name or number")
    add("-i", required=True, type=Path, metavar="FOLDER", help="with the finished labels, named as the cases")
    add("--overwrite", action="store_true", help="replace labels that are there; the old ones are kept")
    add("--allow_empty", action="store_true", help="accept labels that are nothing but background")
    add("--as_predicted", action="store_true", help="accept pre-labels that nobody has saved, as they are")
    add("--dry_run", action="store_true", help="check and report, but write nothing")
    add("--json", action="store_true", help="print what was found as JSON")
    return parser
