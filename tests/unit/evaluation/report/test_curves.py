"""What the figure of Dice against labels shows, read back from it: means and deviations over seeds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_cells import BUDGETS, dice_of, write_cells
from matplotlib.axes import Axes

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment
from nnunet_slpt.evaluation.report.curves import draw_curves

SEEDS = range(3)


def panels_of(folder: Path, methods: list[str], strategies: list[str]) -> list[Axes]:
    cells = read_cells(write_cells(folder, methods, strategies, seeds=SEEDS)).cells
    return draw_curves(Experiment.of(cells)).axes


def points_of(lowest: Axes, drawn: Any) -> dict[str, tuple[float, float, float]]:
    """Labelled cases, as the axis of the lowest panel says → mean, and both ends of its bar."""
    budgets = [label.get_text() for label in lowest.get_xticklabels()]
    dots, _, (bars,) = drawn.lines
    return {
        budgets[int(np.abs(lowest.get_xticks() - x).argmin())]: (y, low, high)
        for (x, y), ((_, low), (_, high)) in zip(dots.get_xydata(), bars.get_segments(), strict=True)
    }


def of_seeds(method: str, strategy: str, budget: int) -> list[float]:
    return [dice_of(method, strategy, budget, seed) for seed in SEEDS]


def expected(method: str, strategy: str) -> Any:
    points = {}
    for budget in BUDGETS:
        dice = of_seeds(method, strategy, budget)
        mean, sd = np.mean(dice), np.std(dice, ddof=1)
        points[str(budget)] = pytest.approx((mean, mean - sd, mean + sd))
    return points


def test_a_line_with_the_colour_of_its_name_has_its_means_and_deviations(tmp_path: Path) -> None:
    panels = panels_of(tmp_path, ["full", "slpt"], ["random", "tesla"])
    titles = [axes.get_title() for axes in panels]
    assert titles == ["cases chosen by random", "cases chosen by tesla"]
    for axes, strategy in zip(panels, ["random", "tesla"], strict=True):
        method_of = {text.get_color(): text.get_text() for text in axes.texts}
        drawn_of = {method_of[drawn.lines[0].get_color()]: drawn for drawn in axes.containers}
        for method in ("full", "slpt"):
            assert points_of(panels[-1], drawn_of[method]) == expected(method, strategy)
        for line in axes.lines:
            means = [np.mean(of_seeds(method_of[line.get_color()], strategy, budget)) for budget in BUDGETS]
            assert line.get_ydata() == pytest.approx(means)


def test_with_a_panel_for_each_method_it_is_drawn_over_the_reference(tmp_path: Path) -> None:
    others = [f"other_{number}" for number in range(6)]
    panels = [axes for axes in panels_of(tmp_path, ["full", *others], ["random"]) if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == others
    for axes, name in zip(panels, others, strict=True):
        reference, own = axes.containers
        assert points_of(panels[-1], reference) == expected("full", "random")
        assert points_of(panels[-1], own) == expected(name, "random")
