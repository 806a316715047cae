"""The finished cells of an experiment, read from their files: what was trained, and what it scored.

A cell is one training: a method, a strategy, a budget, a seed. Whoever runs the experiment makes its file.
Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["COSTS", "Cell", "Folder", "PoolCase", "Scores", "read_cells"]

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.scores import METRICS
from nnunet_slpt.files import read_bytes

FORMAT = 1
COSTS = (
    "tuned_parameters",
    "parameters",
    "train_seconds",
    "select_seconds",
    "predict_seconds",
    "peak_memory_bytes",
)
KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number"}

Scores = Mapping[str, Mapping[str, float | None]]  # class → metric → number


@dataclass(frozen=True)
class PoolCase:
    """A case that was left in the pool.

    Args:
        uncertainty: the strategy's score of it.
        dice: how good its prediction is, mean over classes.
    """

    uncertainty: float | None
    dice: float | None


@dataclass(frozen=True, eq=False)
class Cell:
    """One finished training.

    Args:
        method: how it was tuned.
        strategy: that chose the labelled cases.
        budget: how many cases were labelled.
        seed: of everything random.
        dataset: its name.
        classes: what was segmented.
        test: case → its scores.
        pool: case → what was thought of it, and what was true; empty where nothing was scored.
        costs: by ``COSTS``; ``None`` where it was not measured.
        shown: the rest, for the reader alone: settings, versions, machine, command, labelled cases.
    """

    method: str
    strategy: str
    budget: int
    seed: int
    dataset: str
    classes: tuple[str, ...]
    test: Mapping[str, Scores]
    pool: Mapping[str, PoolCase]
    costs: Mapping[str, float | None]
    shown: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What its file is called, without ``.json``."""
        return f"{self.method}__{self.strategy}__{self.budget}__{self.seed}"

    @classmethod
    def of(cls, value: Any) -> "Cell":
        """From the content of its file.

        Raises:
            EvaluationError: it is something else; names the key.
        """
        top = _Block(value, "")
        if top.get("format", int) != FORMAT:
            raise EvaluationError(f"format: got {value['format']}, expected {FORMAT}")
        cell = top.block("cell")
        test = {case: _scores(block) for case, block in top.block("test").blocks()}
        classes = next(iter(test.values()), {}).keys()
        if not classes:
            raise EvaluationError("test: there is no case in it, or no class in its first case")
        for case, scores in test.items():
            if scores.keys() != classes:
                got, expected = ", ".join(scores), ", ".join(classes)
                raise EvaluationError(f"test.{case}: got classes {got}, expected {expected}")
        costs = top.block("costs")
        return cls(
            method=cell.get("method", str),
            strategy=cell.get("strategy", str),
            budget=_at_least(1, "cell.budget", cell.get("budget", int)),
            seed=_at_least(0, "cell.seed", cell.get("seed", int)),
            dataset=top.get("dataset", str),
            classes=tuple(classes),
            test=test,
            pool=_pool(top) if value.get("pool") is not None else {},
            costs={name: costs.number(name) for name in COSTS},
            shown={
                "labelled": top.get("labelled", list),
                "settings": top.get("settings", dict),
                "versions": top.get("versions", dict),
                "machine": top.get("machine", str),
                "command": top.get("command", str),
            },
        )


@dataclass(frozen=True)
class Folder:
    """What a folder of cells holds.

    Args:
        cells: sorted by method, strategy, budget and seed.
        left_out: file → why it is not among them.
    """

    cells: tuple[Cell, ...]
    left_out: Mapping[str, str]


def read_cells(folder: Path) -> Folder:
    """Read all cells of one experiment.

    Args:
        folder: that holds ``METHOD__STRATEGY__BUDGET__SEED.json`` for each finished cell.

    Raises:
        EvaluationError: there is no such folder, no cell in it, or cells of two experiments.
        FileError: a file cannot be read.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder} is no folder, expected one with the JSON files of finished cells.")
    cells, left_out = [], {}
    for file in sorted(file for file in folder.iterdir() if file.is_file() and file.name != ".lock"):
        try:
            cells.append(_read_cell(file))
        except EvaluationError as error:
            left_out[file.name] = str(error)
    if not cells:
        why = "".join(f"\n  {name}: {reason}" for name, reason in left_out.items())
        raise EvaluationError(f"{folder} holds no finished cell. Let one finish first.{why}")
    _check_one_experiment(cells)
    return Folder(tuple(sorted(cells, key=lambda c: (c.method, c.strategy, c.budget, c.seed))), left_out)


def _read_cell(file: Path) -> Cell:
    if file.suffix == ".part":
        raise EvaluationError("not finished: it was being written")
    if file.suffix != ".json":
        raise EvaluationError("no JSON file")
    try:
        content = json.loads(read_bytes(file))
    except ValueError as error:
        raise EvaluationError(f"no JSON: {error}") from error
    cell = Cell.of(content)
    if file.stem != cell.name:
        raise EvaluationError(f"it holds {cell.name}; a copy, or renamed?")
    return cell


def _check_one_experiment(cells: list[Cell]) -> None:
    first = cells[0]
    for cell in cells:
        if cell.dataset != first.dataset or set(cell.classes) != set(first.classes):
            raise EvaluationError(
                f"{first.name}.json is about {first.dataset} ({', '.join(first.classes)}), {cell.name}.json "
                f"about {cell.dataset} ({', '.join(cell.classes)}): they cannot be compared. Put the cells "
                "of each dataset into a folder of its own."
            )


@dataclass(frozen=True)
class _Block:
    """An object of a JSON file, with the way to it, for errors."""

    value: Any
    path: str

    def __post_init__(self) -> None:
        if not isinstance(self.value, dict):
            raise EvaluationError(f"{self.path or 'the file'}: got {_short(self.value)}, expected an object")

    def key(self, name: str) -> str:
        return f"{self.path}.{name}".lstrip(".")

    def get(self, name: str, kind: type) -> Any:
        if name not in self.value:
            raise EvaluationError(f"{self.key(name)} is missing, expected {KINDS[kind]}")
        value = self.value[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise EvaluationError(f"{self.key(name)}: got {_short(value)}, expected {KINDS[kind]}")
        return value

    def number(self, name: str, lowest: float = 0, highest: float = math.inf) -> float | None:
        """A number of a range, or ``None`` if it is missing or null."""
        value = self.value.get(name)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not lowest <= value <= highest:
            raise EvaluationError(
                f"{self.key(name)}: got {_short(value)}, "
                f"expected a number from {lowest:g} to {highest:g}, or null"
            )
        return float(value) if isinstance(value, float) else int(value)

    def block(self, name: str) -> "_Block":
        return _Block(self.get(name, dict), self.key(name))

    def blocks(self) -> "list[tuple[str, _Block]]":
        return [(name, self.block(name)) for name in self.value]


def _scores(case: _Block) -> dict[str, dict[str, float | None]]:
    for name, block in case.blocks():
        if "dice" not in block.value:
            raise EvaluationError(f"{case.key(name)}.dice is missing, expected a number or null")
    return {name: {metric: block.number(metric, 0, 1) for metric in METRICS} for name, block in case.blocks()}


def _pool(top: _Block) -> dict[str, PoolCase]:
    return {
        case: PoolCase(block.number("uncertainty", -math.inf), block.number("dice", 0, 1))
        for case, block in top.block("pool").blocks()
    }


def _at_least(lowest: int, key: str, value: int) -> int:
    if value < lowest:
        raise EvaluationError(f"{key}: got {value}, expected {lowest} or more")
    return value


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "…"
