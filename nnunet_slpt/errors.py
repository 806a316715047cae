"""The package's exceptions: each message says what, what was got, what was expected, what to do next.

Must not import anything from this package or any third party.
"""

__all__ = [
    "ArchitectureError",
    "CheckpointError",
    "ConfigError",
    "DatasetError",
    "EvaluationError",
    "FileError",
    "PlanningError",
    "SLPTError",
    "SelectionError",
    "SimulationError",
    "in_lines",
    "one_of",
    "some",
]

from collections.abc import Collection, Iterable, Mapping


class SLPTError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(SLPTError, ValueError):
    """A value of the ``slpt`` block in a plans file cannot be used."""


class ArchitectureError(SLPTError, ValueError):
    """The network cannot carry prompts, or does not fit the given weights."""


class CheckpointError(SLPTError, RuntimeError):
    """A weights file is missing, unreadable, or belongs to something else."""


class DatasetError(SLPTError, RuntimeError):
    """The cases of a dataset cannot be used: for tuning, or to choose from."""


class EvaluationError(SLPTError, ValueError):
    """Scores cannot be computed, or finished cells of an experiment cannot be reported together."""


class FileError(SLPTError, RuntimeError):
    """A file cannot be read or written, or another command holds its folder."""


class PlanningError(SLPTError, RuntimeError):
    """A pretrained model's plans cannot be moved to a dataset, or something is in their way."""


class SelectionError(SLPTError, RuntimeError):
    """The next cases cannot be chosen: the budget, the strategy or an earlier round stands in the way."""


class SimulationError(SLPTError, RuntimeError):
    """A simulation cannot be run as asked, or one of its commands has failed."""


def one_of(kind: str, got: object, known: Iterable[object]) -> str:
    """Words for an unknown name, with the names that are known.

    >>> one_of("optimizer", "Adma", ["AdamW", "SGD"])
    "unknown optimizer 'Adma'; known: AdamW, SGD"
    """
    return f"unknown {kind} {got!r}; known: {', '.join(str(name) for name in known)}"


def in_lines(problems: Mapping[str, str], at_most: int = 10) -> str:
    """The first cases, each with its problem on a line of its own, and how many more there are.

    >>> print(in_lines({"b": "cut short", "a": "empty", "c": "empty"}, 2))
      a: empty
      b: cut short
      and 1 more
    """
    lines = [f"  {case}: {problem}" for case, problem in sorted(problems.items())]
    more = [f"  and {len(lines) - at_most} more"] if len(lines) > at_most else []
    return "\n".join([*lines[:at_most], *more])


def some(names: Collection[str], at_most: int = 5) -> str:
    """The first names, and how many more there are.

    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(list(names)[:at_most]) + more
