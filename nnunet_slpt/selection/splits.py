"""nnU-Net's split file, ``splits_final.json``, and lists of case names: reading them, and making a split.

Knows names alone, no images and no labels. Must not import torch or nnU-Net.
"""

__all__ = [
    "Fold",
    "check_known",
    "fixed_validation",
    "make_split",
    "read_names",
    "read_split",
    "spelled_as",
    "split_text",
]

import csv
import difflib
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SelectionError, some
from nnunet_slpt.files import read_bytes
from nnunet_slpt.host_conventions import FEWEST_CASES, HOST_FOLDS

SPLIT_FORMAT = 'nnU-Net\'s: [{"train": [names], "val": [names]}, ...]'
SPLIT_REMEDY = "Correct it, or move it away and name the validation cases with --val."
NAMES_FORMAT = "a JSON list of names, or a text file with one name a line"
GUESSED = 5  # unknown names for which a similar one is looked for: as many as an error names, for it is slow
NAMES_REMEDY = "Names go without channel number and file ending."


@dataclass(frozen=True)
class Fold:
    """One fold of a split.

    Args:
        train: names of the training cases.
        val: names of the validation cases.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]


def read_split(file: Path) -> list[Fold]:
    """Read a split file of nnU-Net's.

    Args:
        file: usually ``splits_final.json`` in the preprocessed dataset folder.

    Raises:
        FileError: it is missing or cannot be read.
        SelectionError: it is not nnU-Net's, or a case is both in ``train`` and ``val`` of a fold.
    """
    content = _parse_json(_read_text(file), file, SPLIT_FORMAT, SPLIT_REMEDY)
    if not isinstance(content, list) or not content:
        found = f"a {type(content).__name__}" if not isinstance(content, list) else "an empty list"
        raise SelectionError(f"{file} holds {found}, expected {SPLIT_FORMAT}. {SPLIT_REMEDY}")
    folds = [_fold(entry, f"Fold {number} of {file}") for number, entry in enumerate(content)]
    if folds == _both_train(folds[0].train):
        return folds
    for number, fold in enumerate(folds):
        both = sorted({*fold.train} & {*fold.val})
        if both:
            raise SelectionError(
                f"Fold {number} of {file} has {len(both)} case(s) both in 'train' and 'val': {some(both)}. "
                "Leave each in one of them."
            )
    return folds


def fixed_validation(folds: Sequence[Fold]) -> frozenset[str]:
    """The cases that every fold validates: those of a single fold; none in a cross-validation.

    Args:
        folds: of a split file.

    >>> fixed_validation([Fold(("a", "b"), ("c",)), Fold(("a",), ("b", "c"))])
    frozenset({'c'})
    """
    return frozenset.intersection(*(frozenset(fold.val) for fold in folds)) if folds else frozenset()


def make_split(labelled: Iterable[str], validation: Iterable[str], seed: int) -> list[Fold]:
    """Make the folds to train on.

    With validation cases it is one fold: they validate, all other labelled cases train. Without, it is a
    cross-validation with as many folds as nnU-Net's, or one for each case where there are fewer. *Two*
    labelled cases are too few for that, because one is too few to train on: each of two folds trains on both
    and validates one of them. Its validation score is then that of a training case and says only that
    training worked; nnU-Net allows it and warns (``nnUNetTrainer.do_split``).

    Args:
        labelled: names of the cases to train on, in any order; those in ``validation`` do not train.
        validation: names of the fixed validation cases, may be empty.
        seed: of the cross-validation's shuffle, below 2**32.

    Returns:
        Folds with sorted names, at least two of them training cases.

    Raises:
        SelectionError: fewer than two cases to train on.
    """
    val = tuple(sorted(set(validation)))
    train = tuple(sorted({*labelled} - {*val}))
    if len(train) < FEWEST_CASES:
        raise SelectionError(
            f"There are {len(train)} labelled case(s) to train on, beside {len(val)} for validation; "
            f"expected {FEWEST_CASES} or more. Choose more cases (-n), label those that wait, or let some "
            "validation cases train."
        )
    if val:
        return [Fold(train, val)]
    if len(train) == FEWEST_CASES:
        return _both_train(train)
    from sklearn.model_selection import KFold

    shuffled = KFold(n_splits=min(HOST_FOLDS, len(train)), shuffle=True, random_state=seed)
    return [
        Fold(tuple(train[row] for row in training), tuple(train[row] for row in validating))
        for training, validating in shuffled.split(train)
    ]


def split_text(folds: Iterable[Fold]) -> str:
    """The content of a split file, byte for byte as nnU-Net writes it.

    Args:
        folds: in nnU-Net's order, the first is ``-f 0``.
    """
    # nnUNetTrainer.do_split → batchgenerators' save_json.
    return json.dumps([{"train": list(fold.train), "val": list(fold.val)} for fold in folds], indent=4)


def read_names(file: Path, known: Collection[str]) -> tuple[str, ...]:
    """Read case names, for ``--val`` and ``--exclude``.

    Args:
        file: a JSON list of names; or text (UTF-8), also CSV of one column, with one name a line. Empty lines
            and lines that start with ``#`` are skipped.
        known: the names of the dataset's cases.

    Returns:
        The names, sorted.

    Raises:
        FileError: it is missing or cannot be read.
        SelectionError: it is empty or of another format; a name twice, or one that is not known.
    """
    text = _read_text(file)
    if file.suffix.lower() == ".json" or text.lstrip().startswith(("[", "{")):
        content = _parse_json(text, file, NAMES_FORMAT, "Correct it.")
    else:
        content = [_only_name(row, file) for row in _rows(text, file)]
    if not _are_names(content):
        raise SelectionError(f"{file} does not list names, expected {NAMES_FORMAT}. Correct it.")
    if not content:
        raise SelectionError(f"{file} names no case, expected {NAMES_FORMAT}. Fill it, or leave it out.")
    twice = _twice(content)
    if twice:
        raise SelectionError(f"{file} names {len(twice)} case(s) twice: {some(twice)}. Name each once.")
    names = [spelled_as(name, known) for name in content]
    check_known(names, known, str(file))
    return tuple(sorted(names))


def spelled_as(name: str, known: Collection[str]) -> str:
    """The known name that reads the same: macOS hands out an umlaut in two parts, other systems in one.

    Args:
        name: as it was found.
        known: names of cases.

    Returns:
        It; the name itself if it is known, or if none reads the same, or several.
    """
    if name in known or name.isascii():
        return name
    same = [one for one in known if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", name)]
    return same[0] if len(same) == 1 else name


def check_known(
    names: Iterable[str], known: Collection[str], source: str, remedy: str = NAMES_REMEDY
) -> None:
    """Refuse names that are not the dataset's.

    Args:
        names: to be checked.
        known: the names of the dataset's cases.
        source: who names them, for the message.
        remedy: what to do, for the message.

    Raises:
        SelectionError: with the closest known name beside each unknown one.
    """
    unknown = sorted({*names} - {*known})
    if not unknown:
        return
    listed = sorted(known)
    words = [*map(repr, unknown)]
    for number, name in enumerate(unknown[:GUESSED]):
        close = difflib.get_close_matches(name, listed, n=1)
        words[number] += f" (did you mean {close[0]!r}?)" if close else ""
    raise SelectionError(
        f"{source} names {len(unknown)} case(s) that the dataset has not: {some(words)}. It has "
        f"{len(listed)} cases, {some(listed, 3)}. {remedy}"
    )


def _fold(entry: Any, where: str) -> Fold:
    if not isinstance(entry, dict):
        raise SelectionError(
            f"{where} is a {type(entry).__name__}, expected a dictionary in {SPLIT_FORMAT}. {SPLIT_REMEDY}"
        )
    for key in ("train", "val"):
        if key not in entry:
            keys = ", ".join(map(str, entry)) or "none"
            raise SelectionError(
                f"{where} has no {key!r} but keys {keys}; expected {SPLIT_FORMAT}. {SPLIT_REMEDY}"
            )
        if not _are_names(entry[key]):
            raise SelectionError(
                f"{key!r} of {where} is no list of names, expected {SPLIT_FORMAT}. {SPLIT_REMEDY}"
            )
        twice = _twice(entry[key])
        if twice:
            raise SelectionError(
                f"{key!r} of {where} names {len(twice)} case(s) twice: {some(twice)}. Name each once."
            )
    return Fold(tuple(entry["train"]), tuple(entry["val"]))


def _both_train(names: Sequence[str]) -> list[Fold]:
    """What ``make_split`` makes of two cases, the one split in which a case may be on both sides."""
    return [Fold(tuple(names), (name,)) for name in names] if len(names) == FEWEST_CASES else []


def _read_text(file: Path) -> str:
    try:
        return read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SelectionError(f"{file} is no text in UTF-8 ({error}). Save it as UTF-8.") from error


def _parse_json(text: str, file: Path, expected: str, remedy: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SelectionError(f"{file} is no JSON ({error}), expected {expected}. {remedy}") from error


def _rows(text: str, file: Path) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    try:
        return list(csv.reader(lines, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SelectionError(f"{file} is no CSV ({error}), expected {NAMES_FORMAT}. Correct it.") from error


def _only_name(row: Sequence[str], file: Path) -> str:
    if len(row) != 1:
        raise SelectionError(
            f"{file} has a line of {len(row)} columns, {', '.join(row)!r}; expected {NAMES_FORMAT}. Remove "
            "the other columns, and put a name with a comma in double quotes."
        )
    return row[0].strip()


def _are_names(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(name, str) and name for name in content)


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
