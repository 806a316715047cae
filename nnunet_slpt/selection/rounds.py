"""A round: what was chosen, of what, by which rule; and its file, in which a changed byte is noticed.

Holds no time of day, so that the same inputs give the same bytes. Must not import numpy, torch or nnU-Net.
"""

__all__ = ["Replaced", "Round", "ScoredCase", "plain", "read_round", "round_text", "waiting_cases"]

import hashlib
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SelectionError, one_of, some
from nnunet_slpt.files import read_bytes
from nnunet_slpt.hidden_labels import HIDE_LABELS, PROSPECTIVE

FORMAT_VERSION = 1
MODES = (PROSPECTIVE, HIDE_LABELS)
FILE_REMEDY = (
    "Round files are never changed after they are written. Put it back as it was; or, to go on without, move "
    "it and the round files after it to another folder."
)


@dataclass(frozen=True, kw_only=True)
class ScoredCase:
    """One case of the pool, in one round.

    Args:
        name: its identifier.
        rank: 1 for the case that the strategy wants most; each rank once in a round.
        chosen: it is to be annotated.
        value: by what the strategy ranked it, before chance was mixed in; ``None`` where there is none (NaN
            becomes ``None``).
        scores: its uncertainty by measure; the same.
        reason: of the choice, in words.
    """

    name: str
    rank: int
    chosen: bool
    value: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        _set_plain(self, ("name", "rank", "chosen", "value", "scores", "reason"))


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A file that a round wrote, and what was there before.

    Args:
        sha256: of the content that the round wrote.
        backup: name of the copy of the file before; ``None`` if there was none.
        backup_sha256: of that copy.
    """

    sha256: str
    backup: str | None = None
    backup_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Round:
    """One selection: all that decided it, and what came of it.

    Args:
        number: from 0 on.
        mode: ``prospective`` or ``hide_labels``.
        seed: of the strategy and of the cross-validation.
        strategy: its name.
        parameters: the strategy's, by name.
        budget_cases: how many cases were to be chosen.
        versions: package → version.
        model: ``folder``, ``checkpoints`` and ``sha256`` of the network, and the ``window`` in which it
            predicted, if it did; ``None`` if none was used.
        settings: whatever else decides the result, by name.
        validation: names of the fixed validation cases.
        excluded: names of the cases left out.
        labelled_before: names of the cases that were labelled.
        cases: the whole pool; sorted by rank here.
        previous: SHA-256 of the earlier round's file; the store fills it in, as the two that follow.
        split: of ``splits_final.json``.
        worklist: of ``to_annotate.csv``.

    Raises:
        SelectionError: unknown mode; ranks that are not 1 to N; a name twice; other than ``budget_cases``
            cases chosen; or a case in the pool that is labelled, excluded or for validation.
    """

    number: int
    mode: str
    seed: int
    strategy: str
    parameters: Mapping[str, Any]
    budget_cases: int
    versions: Mapping[str, str]
    model: Mapping[str, Any] | None
    settings: Mapping[str, Any]
    validation: tuple[str, ...]
    excluded: tuple[str, ...]
    labelled_before: tuple[str, ...]
    cases: tuple[ScoredCase, ...]
    previous: str | None = None
    split: Replaced | None = None
    worklist: Replaced | None = None

    def __post_init__(self) -> None:
        _set_plain(self, ("number", "seed", "parameters", "budget_cases", "versions", "model", "settings"))
        for name in ("validation", "excluded", "labelled_before"):
            object.__setattr__(self, name, tuple(sorted({*plain(list(getattr(self, name)))})))
        object.__setattr__(self, "cases", tuple(sorted(self.cases, key=lambda case: case.rank)))
        self._check()

    def _check(self) -> None:
        if self.mode not in MODES:
            raise SelectionError(f"Round {self.number}: {one_of('mode', self.mode, MODES)}.")
        names = {case.name for case in self.cases}
        ranks = [case.rank for case in self.cases]
        if len(names) < len(ranks) or ranks != list(range(1, len(ranks) + 1)):
            raise SelectionError(
                f"Round {self.number} has {len(ranks)} cases with {len(names)} names and ranks "
                f"{ranks[:3]}...; expected each name once and each rank from 1 to {len(ranks)} once."
            )
        if len(self.chosen) != self.budget_cases:
            raise SelectionError(
                f"Round {self.number} chose {len(self.chosen)} cases of a budget of {self.budget_cases}. "
                "This is a mistake of the strategy; please report it."
            )
        for role in ("validation", "excluded", "labelled_before"):
            both = sorted(names.intersection(getattr(self, role)))
            if both:
                raise SelectionError(
                    f"Round {self.number} has {len(both)} case(s) both in the pool and in {role!r}: "
                    f"{some(both)}. Such cases must not be offered to a strategy."
                )

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the chosen cases, the most wanted first."""
        return tuple(case.name for case in self.cases if case.chosen)


def round_text(one: Round) -> str:
    """The content of a round's file: JSON, one line a case.

    Args:
        one: the round.
    """
    about = {"format_version": FORMAT_VERSION, **asdict(one)}
    cases = about.pop("cases")
    return _render({**about, "cases": cases})


def read_round(file: Path) -> tuple[Round, str]:
    """Read a round's file and verify it.

    Args:
        file: such as ``round_00.json``.

    Returns:
        The round, and the SHA-256 of its file.

    Raises:
        FileError: it is missing or cannot be read.
        SelectionError: it was changed by a byte or more, or is of a version that is not known.
    """
    content = read_bytes(file)
    try:
        about = json.loads(content)
        _check_version(about, file)
        about.pop("sha256")
        # The hash in it says that the values are the same, the comparison that all the rest is.
        if _render(about).encode() != content:
            raise SelectionError(f"{file} was changed after it was written. {FILE_REMEDY}")
        return _round(about), hashlib.sha256(content).hexdigest()
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise SelectionError(
            f"{file} is no round file of nnunet_slpt, or no longer ({error!r}). {FILE_REMEDY}"
        ) from error


def waiting_cases(rounds: Sequence[Round], labelled: Collection[str], there: Collection[str]) -> list[str]:
    """Names of the cases that were chosen and have no label yet, in the order of choice.

    Without those that the last round left out for good.

    Args:
        rounds: the first one first.
        labelled: names of the cases that count as labelled.
        there: names of all cases of the dataset; what it no longer has does not wait.
    """
    settled = {*labelled, *(rounds[-1].excluded if rounds else ())}
    return [name for one in rounds for name in one.chosen if name in there and name not in settled]


def plain(value: Any) -> Any:
    """The same in JSON's types: numpy's numbers become Python's, tuples lists, NaN and infinities ``None``.

    Args:
        value: numbers, text, paths, ``None``, and lists and dictionaries of them.

    Raises:
        TypeError: it is something else.

    >>> plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if hasattr(value, "tolist"):  # numpy's numbers, truth values and arrays
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"{value!r} is a {type(value).__name__}, which JSON does not know")


def _set_plain(target: ScoredCase | Round, names: Sequence[str]) -> None:
    for name in names:
        object.__setattr__(target, name, plain(getattr(target, name)))  # the classes are frozen


def _render(about: Mapping[str, Any]) -> str:
    """Text of all values, with a hash over them; ``cases`` come last."""
    values = json.dumps(about, allow_nan=False)
    others = {key: value for key, value in about.items() if key != "cases"}
    others["sha256"] = hashlib.sha256(values.encode()).hexdigest()
    head = json.dumps(others, indent=1)
    cases = ",\n  ".join(json.dumps(case) for case in about["cases"])
    return f'{head[:-2]},\n "cases": [\n  {cases}\n ]\n}}\n'


def _check_version(about: Mapping[str, Any], file: Path) -> None:
    version = about["format_version"]
    if version != FORMAT_VERSION:
        raise SelectionError(
            f"{file} has format version {version!r}, expected {FORMAT_VERSION}. If a later nnunet_slpt wrote "
            f"it: pip install --upgrade nnunet_slpt. If not: {FILE_REMEDY}"
        )


def _round(about: Mapping[str, Any]) -> Round:
    values = {key: value for key, value in about.items() if key != "format_version"}
    values["cases"] = tuple(ScoredCase(**case) for case in values["cases"])
    for name in ("split", "worklist"):
        values[name] = None if values[name] is None else Replaced(**values[name])
    return Round(**values)
