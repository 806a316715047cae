"""The finished cells of an experiment, read from their files: what was trained, and what it scored.

A cell is one training: a method, a strategy, a budget, a seed. Whoever runs the experiment makes its file.
Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["COSTS", "FORMAT", "Cell", "CellKey", "Folder", "PoolCase", "Scores", "read_cells"]

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.scores import METRICS
from nnunet_slpt.files import read_bytes

FORMAT = 1  # of a cell's file
COSTS = (
    "tuned_parameters",
    "parameters",
    "train_seconds",
    "select_seconds",
    "predict_seconds",
    "peak_memory_bytes",
)
SHOWN = ("labelled", "settings", "versions", "machine", "command")

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


@dataclass(frozen=True)
class CellKey:
    """What tells a training from the others of its experiment, and names its file.

    Args:
        method: how it was tuned.
        strategy: that chose the labelled cases.
        budget: how many cases were labelled.
        seed: of everything random.
    """

    method: str
    strategy: str
    budget: int
    seed: int

    @property
    def name(self) -> str:
        """What its file is called, without ``.json``."""
        return f"{self.method}__{self.strategy}__{self.budget}__{self.seed}"


@dataclass(frozen=True)
class Cell(CellKey):
    """One finished training.

    Args:
        dataset: its name.
        classes: what was segmented.
        test: case → its scores.
        pool: case → predicted uncertainty and true Dice; empty where nothing was scored.
        costs: by ``COSTS``; ``None`` where it was not measured.
        shown: the rest, for the reader alone: settings, versions, machine, command, labelled cases.
    """

    dataset: str
    classes: tuple[str, ...]
    test: Mapping[str, Scores]
    pool: Mapping[str, PoolCase]
    costs: Mapping[str, float | None]
    shown: Mapping[str, Any]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Cell":
        """From the content of its file.

        Raises:
            EvaluationError: it is of another format.
            AttributeError, KeyError, TypeError, ValueError: it is no cell.
        """
        if content["format"] != FORMAT:
            raise EvaluationError(f"format: got {content['format']}, expected {FORMAT}")
        first, *_ = content["test"].values()
        cell = cls(
            **content["cell"],
            dataset=content["dataset"],
            classes=tuple(first),
            test={
                case: {name: _scores(of_case[name]) for name in first}
                for case, of_case in content["test"].items()
            },
            pool={case: PoolCase(**one) for case, one in (content["pool"] or {}).items()},
            costs={name: content["costs"].get(name) for name in COSTS},
            shown={name: content[name] for name in SHOWN},
        )
        _check_numbers(cell)
        return cell


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
        cell = Cell.of(json.loads(read_bytes(file)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise EvaluationError(f"not a finished cell ({why}); restore it, or move it away") from error
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


def _check_numbers(cell: Cell) -> None:
    _check("cell.budget", cell.budget, 1, whole=True)
    _check("cell.seed", cell.seed, 0, whole=True)
    for case, of_case in cell.test.items():
        for name, scores in of_case.items():
            for metric, value in scores.items():
                _check(f"test.{case}.{name}.{metric}", value, 0, 1)
    for case, one in cell.pool.items():
        _check(f"pool.{case}.uncertainty", one.uncertainty, -math.inf)
        _check(f"pool.{case}.dice", one.dice, 0, 1)
    for name, value in cell.costs.items():
        _check(f"costs.{name}", value, 0)


def _check(key: str, value: Any, lowest: float, highest: float = math.inf, *, whole: bool = False) -> None:
    """Refuse what is no number of a range; what was not measured, or is not defined, is null and not NaN."""
    if value is None and not whole:
        return
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not lowest <= value <= highest:
        words = "a whole number" if whole else "null or a number"
        raise ValueError(f"{key}: got {value!r}, expected {words} from {lowest} to {highest}")


def _scores(of_class: Mapping[str, float | None]) -> dict[str, float | None]:
    return {"dice": of_class["dice"], **{metric: of_class.get(metric) for metric in METRICS}}
