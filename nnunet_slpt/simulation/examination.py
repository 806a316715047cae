"""Can every case be used? Asked before the first training: a label that judges is read only after it.

Must not import torch.
"""

__all__ = ["examine"]

from collections.abc import Callable
from pathlib import Path

from nnunet_slpt.datasets.image_files import image_files
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import SimulationError, in_lines
from nnunet_slpt.preprocessing.checks import find_problems
from nnunet_slpt.preprocessing.recipe import Recipe
from nnunet_slpt.selection.cache import CaseCache, state_of
from nnunet_slpt.simulation.source import Source


def examine(
    source: Source, recipe: Recipe, processes: int, folder: Path, say: Callable[[str], object]
) -> None:
    """Look into the images and labels of all cases that choose, train or judge, as preprocessing does.

    Args:
        source: the labelled dataset.
        recipe: of the plans that all campaigns tune with.
        processes: at most so many look at the same time.
        folder: tells what was found good before; it is looked at again if it was written to since.
        say: told what somebody should look at.

    Raises:
        SimulationError: a case cannot be used.
    """
    good = CaseCache(folder)
    cases = [source.cases[name] for name in (*source.pool, *source.test)]
    keys = {case.name: state_of((*image_files(case), case.label)) for case in cases}
    new = [case for case in cases if good.read(case.name, keys[case.name]) is None]
    if not new:
        return
    with Workers(processes) as workers:
        problems = find_problems(new, recipe, workers, say)
    for case in new:
        if case.name not in problems:
            good.write(case.name, keys[case.name], {})
    if problems:
        raise SimulationError(
            f"{len(problems)} case(s) cannot be used:\n{in_lines(problems)}\n"
            "Correct these files, or leave the cases out (--pool, --test). Nothing was trained."
        )
