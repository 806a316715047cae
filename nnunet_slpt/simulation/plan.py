"""From a request to what will be run: the division of the cases, the campaigns, the folder's record.

Owns ``simulation.json``: whoever goes on with a folder goes on with the same question. Writes nothing.
"""

__all__ = ["RECORD", "Plan", "budgets_of", "check_question", "plan_simulation"]

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.evaluation import check_packages
from nnunet_slpt.evaluation.cells import CellKey
from nnunet_slpt.files import read_bytes
from nnunet_slpt.host_conventions import FEWEST_CASES
from nnunet_slpt.selection.budget import parse_budget
from nnunet_slpt.selection.device import check_device
from nnunet_slpt.simulation.grid import Campaign, make_grid, part_of
from nnunet_slpt.simulation.models import RECORDED_AS, Models, read_models
from nnunet_slpt.simulation.request import Request
from nnunet_slpt.simulation.source import Source, read_source

RECORD = "simulation.json"


@dataclass(frozen=True)
class Plan:
    """What a request comes to, before anything is run.

    Args:
        request: what was asked for.
        source: the labelled dataset, divided.
        models: the pretrained ones.
        campaigns: of this call's part.
        question: what every cell has in common; ``simulation.json``.
    """

    request: Request
    source: Source
    models: Models
    campaigns: tuple[Campaign, ...]
    question: Mapping[str, Any] = field(repr=False)

    @property
    def cells(self) -> Path:
        """The folder of the results."""
        return self.request.output / "cells"

    @property
    def all_cells(self) -> list[CellKey]:
        """Of this part."""
        return [cell for one in self.campaigns for cell in one.cells]

    @property
    def finished(self) -> list[CellKey]:
        """Those that are there."""
        return [cell for cell in self.all_cells if (self.cells / f"{cell.name}.json").exists()]

    def text(self) -> str:
        """For people."""
        budgets = ", ".join(map(str, self.campaigns[0].budgets)) if self.campaigns else "none"
        pool, test = len(self.source.pool), len(self.source.test)
        return (
            f"{self.source.folder.name}: {pool} cases to choose from, {test} to test. "
            f"{len(self.campaigns)} campaigns with budgets of {budgets} cases: "
            f"{len(self.all_cells)} cells, {len(self.finished)} of them finished."
        )


def plan_simulation(request: Request) -> Plan:
    """Check all that can be checked at once.

    Args:
        request: what the user wants.

    Raises:
        SLPTError: it cannot be done, or the folder holds another simulation.
    """
    check_packages()
    check_device(request.device)
    models = read_models(request.models, request.configuration)
    for method in request.methods:
        models.check_method(method)
    source = read_source(request.dataset, request.test, request.pool)
    models.check_channels(source.dataset_json)
    budgets = budgets_of(request.budgets, len(source.pool))
    grid = make_grid(request.methods, request.strategies, budgets, request.seeds)
    question = _question(request, source, models, sorted(budgets))
    check_question(request.output / RECORD, question)
    mine = tuple(part_of(grid, request.parts, request.part))
    return Plan(request, source, models, mine, question)


def budgets_of(texts: Sequence[str], pool: int) -> list[int]:
    """Numbers of cases. A percentage gives enough to tune on; those that give the same number are one.

    Args:
        texts: numbers of cases, or percentages.
        pool: of so many cases.

    Raises:
        SLPTError: one is no budget, or too few to tune on.
    """
    budgets = []
    for text in texts:
        number = parse_budget(text, pool)
        if number < FEWEST_CASES and ("%" not in text or pool < FEWEST_CASES):
            raise SimulationError(
                f"--budgets {text} of {pool} cases: a tuning needs {FEWEST_CASES} labelled cases or more."
            )
        budgets.append(max(number, FEWEST_CASES))
    if not budgets:
        raise SimulationError("--budgets names none, expected numbers of cases or percentages.")
    return [*dict.fromkeys(budgets)]


def _question(request: Request, source: Source, models: Models, budgets: Sequence[int]) -> dict[str, Any]:
    return {
        "dataset": source.folder.name,
        **models.record(),
        "configuration": models.configuration,
        "training": {
            "epochs": request.epochs,
            "iterations_per_epoch": request.iterations,
            "validation_iterations_per_epoch": 1,  # nnU-Net wants one; nothing here depends on it
        },
        "batch_size": request.batch_size,
        "mirroring": request.mirroring,
        "calibrate": request.calibrate,
        "tolerance_mm": request.tolerance_mm,
        "pool": list(source.pool),
        "test": list(source.test),
        "budgets": list(budgets),
    }


def check_question(file: Path, question: Mapping[str, Any]) -> None:
    """Refuse to mix two simulations in one folder. Only larger budgets, and a first PUNet, may be added.

    Args:
        file: the folder's record, if there is one.
        question: of this call.

    Raises:
        SimulationError: it is another question.
    """
    if not file.exists():
        return
    before = json.loads(read_bytes(file))
    changed = [
        key
        for key, value in question.items()
        if key != "budgets" and before.get(key) != value and not _left_open(key, value, before.get(key))
    ]
    common = min(len(before["budgets"]), len(question["budgets"]))
    if before["budgets"][:common] != question["budgets"][:common]:
        changed.append("budgets")
    if changed:
        words = "; ".join(
            f"{key}: got {_brief(question[key])}, there {_brief(before.get(key))}" for key in changed
        )
        raise SimulationError(
            f"{file.parent} holds another simulation ({words}). Take another folder (-o), or the same "
            "settings; methods, strategies and seeds may be added, and budgets above the largest."
        )


def _left_open(key: str, *values: Any) -> bool:
    """Whether this call, or those before, use no network of a kind."""
    return key in RECORDED_AS.values() and None in values


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
