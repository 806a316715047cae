"""The grid: every combination once, ascending budgets, fair parts."""

import pytest

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.evaluation.cells import CellKey
from nnunet_slpt.simulation.grid import Campaign, make_grid, part_of

GRID = make_grid(["a", "b"], ["x", "y"], [10, 5], [0, 1, 2])


def test_every_method_meets_every_strategy_and_seed() -> None:
    assert len(GRID) == len(set(GRID)) == 2 * 2 * 3
    assert GRID[0] == Campaign("a", "x", 0, (5, 10))
    assert [one.seed for one in GRID] == [0] * 4 + [1] * 4 + [2] * 4


def test_a_campaign_has_a_cell_for_each_budget() -> None:
    assert GRID[0].cells == (CellKey("a", "x", 5, 0), CellKey("a", "x", 10, 0))
    assert GRID[0].cells[1].name == "a__x__10__0"
    assert GRID[0].name == "a__x__0"


def test_the_parts_are_the_whole_and_do_not_overlap() -> None:
    parts = [list(part_of(GRID, 5, part)) for part in range(5)]
    assert sorted(one.name for part in parts for one in part) == sorted(one.name for one in GRID)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(("parts", "part"), [(0, 0), (2, 2), (2, -1)])
def test_a_part_that_is_not_there_is_refused(parts: int, part: int) -> None:
    with pytest.raises(SimulationError, match=f"-part_id is {part} of -num_parts {parts}, expected 0 to"):
        list(part_of(GRID, parts, part))


def test_what_is_there_twice_is_refused() -> None:
    with pytest.raises(SimulationError, match="--budgets are 5, 5: one is there twice"):
        make_grid(["a"], ["x"], [5, 5], [0])
