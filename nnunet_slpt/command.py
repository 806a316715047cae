"""What our commands have in common: arguments in, an exit code out, what went wrong on stderr.

Standard library alone, beside ``errors``.
"""

__all__ = ["answer"]

import argparse
import sys
from collections.abc import Callable, Sequence

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
