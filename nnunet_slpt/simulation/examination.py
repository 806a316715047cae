"""Can every case be used? Asked before the first training: a label that judges is read only after it.

Must not import torch.
"""

__all__ = ["examine"]

import json
from collections.abc import Callable
from pathlib import Path

from nnunet_slpt.datasets import Case
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import SimulationError, in_lines
from nnunet_slpt.files import read_bytes, write_json
from nnunet_slpt.preprocessing.checks import find_problems
from nnunet_slpt.preprocessing.recipe import Recipe
from nnunet_slpt.simulation.source import Source


def examine(
    source: Source, recipe: Recipe, processes: int, record: Path, say: Callable[[str], object]
) -> None:
    """Look into the images and labels of all cases that choose, train or judge, as preprocessing does.

    Args:
        source: the labelled dataset.
        recipe: of the plans that all campaigns tune with.
        processes: at most so many look at the same time.
        record: what was looked at before and is not looked at again unless it was written to since.
        say: told what somebody should look at.

    Raises:
        SimulationError: a case cannot be used.
    """
    cases = [source.cases[name] for name in (*source.pool, *source.test)]
    before = json.loads(read_bytes(record)) if record.exists() else {}
    now = {case.name: _state(case) for case in cases}
    new = [case for case in cases if before.get(case.name) != now[case.name]]
    if not new:
        return
    with Workers(processes) as workers:
        problems = find_problems(new, recipe, workers, say)
    if problems:
        raise SimulationError(
            f"{len(problems)} case(s) cannot be used:\n{in_lines(problems)}\n"
            "Correct these files, or leave the cases out (--pool, --test). Nothing was trained."
        )
    write_json(record, before | now)


def _state(case: Case) -> list[list[str | int]]:
    """Changes when one of its files is written to."""
    files = [(file, file.stat()) for file in (*case.images, case.label)]
    return [[str(file), about.st_size, about.st_mtime_ns] for file, about in files]
