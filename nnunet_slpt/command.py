"""What our commands have in common: arguments in, an exit code out, what went wrong on stderr.

Standard library alone, beside ``errors``.
"""

__all__ = ["answer", "stdout_for_json", "whole_number"]

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress

from nnunet_slpt.errors import SLPTError

STDOUT, STDERR = 1, 2
INTERRUPTED = 130  # as shells have it


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
        Its exit code; 2, with the reason on stderr, if it cannot be done; 130 after Ctrl-C.
    """
    arguments = parser.parse_args(argv)
    try:
        return run(arguments)
    except (SLPTError, OSError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"{parser.prog}: Interrupted. What is done stays done; the same call goes on.\n")
        return INTERRUPTED


@contextmanager
def stdout_for_json(wanted: bool) -> Iterator[None]:
    """Keep stdout for the JSON alone: nnU-Net prints as well, in processes of its own too.

    Args:
        wanted: whether JSON is; everything else that is printed goes to stderr then.
    """
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)  # which processes inherit
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)


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
