"""What the figures of differences show, read back from them: every seed, their mean and deviation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_cells import dice_of, write_cells
from matplotlib.axes import Axes

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment
from nnunet_slpt.evaluation.report.forest import draw_differences

METHODS, STRATEGIES, BUDGETS, SEEDS = ("full", "head", "slpt"), ("random", "tesla"), (4, 8), range(3)


def rows_of(left: Axes) -> dict[float, tuple[str, str]]:
    """Height → who is compared, and at how many labelled cases. A name stands at its first row alone."""
    rows, name = {}, ""
    for height, label in zip(left.get_yticks(), left.get_yticklabels(), strict=True):
        *named, budget = label.get_text().split()
        name = named[0] if named else name
        rows[float(height)] = (name, budget)
    return rows


def drawn_on(axes: Axes, rows: dict[float, tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Row → differences of seeds, their mean, both ends of the bar; as in ``expected``."""
    drawn = {}
    heights = {line.get_ydata()[0]: line for line in axes.lines if line.get_markersize() == 2.5}
    for one in axes.containers:
        dot, _, (bar,) = one.lines  # type: ignore[attr-defined]
        ((mean, height),) = dot.get_xydata()
        ((low, _), (high, _)) = bar.get_segments()[0]
        drawn[rows[height]] = [*heights[height].get_xdata(), mean, low, high]
    return drawn


def expected(first: tuple[str, str], second: tuple[str, str], budgets: tuple[int, ...]) -> Any:
    """In points of Dice; of several budgets the mean."""
    seeds = [
        100 * np.mean([dice_of(*first, budget, seed) - dice_of(*second, budget, seed) for budget in budgets])
        for seed in SEEDS
    ]
    mean, sd = np.mean(seeds), np.std(seeds, ddof=1)
    return pytest.approx([*seeds, mean, mean - sd, mean + sd])


ROWS = {"4": (4,), "8": (8,), "all": BUDGETS}


def test_methods_ahead_of_the_reference_in_a_panel_for_each_strategy(tmp_path: Path) -> None:
    cells = read_cells(write_cells(tmp_path, METHODS, STRATEGIES, BUDGETS, SEEDS)).cells
    comparisons = Experiment.of(cells).method_comparisons
    panels = draw_differences(comparisons, True, "full", "Dataset027_Heart").axes
    assert [axes.get_title() for axes in panels] == ["cases chosen by random", "cases chosen by tesla"]
    for axes, strategy in zip(panels, STRATEGIES, strict=True):
        assert drawn_on(axes, rows_of(panels[0])) == {
            (method, row): expected((method, strategy), ("full", strategy), budgets)
            for method in ("head", "slpt")
            for row, budgets in ROWS.items()
        }


def test_strategies_ahead_of_the_reference_in_a_panel_for_each_method(tmp_path: Path) -> None:
    cells = read_cells(write_cells(tmp_path, METHODS, STRATEGIES, BUDGETS, SEEDS)).cells
    comparisons = Experiment.of(cells).strategy_comparisons
    panels = draw_differences(comparisons, False, "random", "Dataset027_Heart").axes
    assert [axes.get_title() for axes in panels] == [f"tuned by {method}" for method in METHODS]
    for axes, method in zip(panels, METHODS, strict=True):
        assert drawn_on(axes, rows_of(panels[0])) == {
            ("tesla", row): expected((method, "tesla"), (method, "random"), budgets)
            for row, budgets in ROWS.items()
        }
