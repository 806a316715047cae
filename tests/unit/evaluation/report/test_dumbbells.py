"""What the figure of each class shows, read back from it: means and deviations over seeds."""

from pathlib import Path

import numpy as np
import pytest
from made_up_cells import CLASSES, dice_of, write_cells

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment
from nnunet_slpt.evaluation.report.dumbbells import draw_classes

BUDGETS, SEEDS = (4, 8, 80), range(3)


def test_dots_in_the_grey_of_their_budget_have_its_means_and_deviations(tmp_path: Path) -> None:
    cells = read_cells(write_cells(tmp_path, ["full", "slpt"], ["random"], BUDGETS, SEEDS)).cells
    figure = draw_classes(Experiment.of(cells))
    (legend,) = figure.legends
    budget_of = {
        dot.get_color(): int(text.get_text())  # type: ignore[attr-defined]
        for dot, text in zip(legend.legend_handles, legend.get_texts(), strict=True)
    }
    assert sorted(budget_of.values()) == sorted(BUDGETS)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_visible()}
    assert panels.keys() == CLASSES.keys()
    left = figure.axes[0]
    names = [label.get_text() for label in left.get_yticklabels()]
    method_at = dict(zip(left.get_yticks(), names, strict=True))
    for name, axes in panels.items():
        dots, bars = {}, {}
        for line in (one for one in axes.lines if one.get_marker() == "o"):
            ((mean, height),) = line.get_xydata()
            dots[method_at[height], budget_of[line.get_color()]] = mean
        for drawn in axes.containers:
            ((low, height), (high, _)) = drawn.lines[2][0].get_segments()[0]  # type: ignore[attr-defined]
            bars.setdefault(method_at[height], []).append((low, high))
        for method in ("full", "slpt"):
            spreads = []
            for budget in BUDGETS:
                dice = [dice_of(method, "random", budget, seed, name) for seed in SEEDS]
                assert dots[method, budget] == pytest.approx(np.mean(dice))
                spreads.append((np.mean(dice) - np.std(dice, ddof=1), np.mean(dice) + np.std(dice, ddof=1)))
            assert bars[method] == [pytest.approx(spreads[0]), pytest.approx(spreads[-1])]  # fewest and most
