"""The command ``nnunet_slpt_doctor``: a parser over ``examine``."""

__all__ = ["main"]

import argparse
import json
from collections.abc import Sequence

from nnunet_slpt.command import answer, stdout_for_json
from nnunet_slpt.doctor.examination import examine
from nnunet_slpt.doctor.report import as_json, as_text
from nnunet_slpt.planners.cli import add_model, add_options
from nnunet_slpt.planners.draft import Request
from nnunet_slpt.planners.transfer import Wishes

DESCRIPTION = """Would it make sense to tune this pretrained nnU-Net on this dataset? Writes nothing.

Looks at the model, at every image and every label of the dataset, and at this machine, and tells what does
not fit, each with what to do. It does not stop at the first error."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 if training makes sense, 1 if it does not, 2 if that cannot be told."""
    return answer(_parser(), argv, _run)


def _run(arguments: argparse.Namespace) -> int:
    patch = tuple(arguments.patch_size) if arguments.patch_size else None
    request = Request(
        dataset=arguments.d,
        model=arguments.m,
        configuration=arguments.c,
        fold=arguments.fold,
        checkpoint=arguments.checkpoint,
        wishes=Wishes(patch, arguments.batch_size),
        stem=arguments.stem,
        processes=arguments.npp,
    )
    with stdout_for_json(arguments.json):
        examination = examine(request)
    print(json.dumps(as_json(examination), indent=1) if arguments.json else as_text(examination))
    return 0 if examination.makes_sense else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_doctor",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser, required=True)
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON; everything else goes to stderr")
    return parser
