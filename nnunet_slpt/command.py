"""What our commands have in common: arguments in, an exit code out, what went wrong on stderr.

Standard library alone, beside ``errors``.
"""

__all__ = ["answer", "whole_number"]

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from nnunet_slpt.errors import SLPTError


def answer(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    run: Callable[[argparse.Namespace], int],
) -> int:
    """Run a command.

    Args:
        parser: of its arguments.
        argv: the arguments; ``None`` takes those of the process.
        run: the command itself.

    Returns:
        Its exit code; 2, with the reason on stderr, if it cannot be done.
    """
    arguments = parser.parse_args(argv)
    try:
        return run(arguments)
    except (SLPTError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2


def whole_number(fewest: int) -> Callable[[str], int]:
    """What ``add_argument`` takes as ``type`` for a whole number.

    Args:
        fewest: the least that is accepted.
    """

    def read(text: str) -> int:
        with suppress(ValueError):
            if int(text) >= fewest:
                return int(text)
        raise argparse.ArgumentTypeError(f"got {text}, expected a whole number from {fewest} on")

    return read
