"""The figure of Dice against labels: a line for each way, its spread over seeds.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["draw_curves"]

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.report.style import (
    FAINT,
    LOOKS,
    REFERENCE,
    Look,
    draw_on,
    new_figure,
    spread_apart,
)
from nnunet_slpt.evaluation.report.words import panel_title

Floats = NDArray[np.float64]

AT_MOST_LINES = 1 + len(LOOKS)  # each with a look of its own; more are drawn in a panel each
AT_MOST_COLUMNS = 4
SIDE_STEP = 0.045  # doublings, between the error bars of neighbours
LABEL_GAP = 0.055  # of a panel's height
CAPTION = "Mean Dice on the test cases. Bars: standard deviation over seeds."
HEAD = 0.75  # inches, of title and caption


@dataclass(frozen=True)
class _Layout:
    """Methods as lines in a panel for each strategy, or the other way round.

    Args:
        experiment: to draw.
        by_method: lines are methods.
    """

    experiment: Experiment
    by_method: bool

    @property
    def panels(self) -> list[str]:
        return self.experiment.strategies if self.by_method else self.experiment.methods

    @property
    def lines(self) -> list[str]:
        return self.experiment.methods if self.by_method else self.experiment.strategies

    def way(self, line: str, panel: str) -> Way:
        return Way(line, panel) if self.by_method else Way(panel, line)

    def lines_of(self, panel: str) -> list[str]:
        """Those with a point in this panel."""
        return [line for line in self.lines if len(_points(self.experiment, self.way(line, panel))[0])]


def draw_curves(experiment: Experiment) -> Figure:
    """Draw it: a panel for each strategy with a line for each method, or the other way round."""
    layout = _Layout(experiment, by_method=len(experiment.methods) >= len(experiment.strategies))
    return _together(layout) if len(layout.lines) <= AT_MOST_LINES else _a_panel_each(layout)


def _together(layout: _Layout) -> Figure:
    panels = layout.panels
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(5.0 if columns == 1 else 7.4, HEAD + 2.9 * rows, _title(layout.experiment), CAPTION)
    looks = dict(zip(layout.lines, (REFERENCE, *LOOKS), strict=False))
    all_axes = draw_on(figure, rows, columns, sharex=True, sharey=True)
    ends = []
    for axes, panel in zip(all_axes, panels, strict=False):
        lines = layout.lines_of(panel)
        steps = [SIDE_STEP * (place - (len(lines) - 1) / 2) for place in range(len(lines))]
        drawn = (
            _line(axes, layout.experiment, layout.way(line, panel), looks[line], step)
            for line, step in zip(lines, steps, strict=True)
        )
        ends.append(dict(zip(lines, drawn, strict=True)))
        axes.set_title(panel_title(panel, layout.by_method))
    _finish(layout.experiment, all_axes, len(panels), columns)
    for axes, of_panel in zip(all_axes, ends, strict=False):  # the axis has its final range by now
        _label_ends(axes, of_panel, looks)
    return figure


def _a_panel_each(layout: _Layout) -> Figure:
    experiment, reference = layout.experiment, layout.lines[0]
    drawn = [(line, panel) for panel in layout.panels for line in layout.lines_of(panel) if line != reference]
    columns = min(len(drawn), AT_MOST_COLUMNS)
    rows = math.ceil(len(drawn) / columns)
    caption = f"{CAPTION} Dashed: {reference}. Grey: the others."
    figure = new_figure(7.4, HEAD + 1.55 * rows, _title(experiment), caption)
    all_axes = draw_on(figure, rows, columns, sharex=True, sharey=True)
    for axes, (line, panel) in zip(all_axes, drawn, strict=False):
        others = layout.lines_of(panel)
        for other in others:
            x, y, _ = _points(experiment, layout.way(other, panel))
            axes.plot(x, y, color=FAINT, linewidth=0.8, marker=".", markersize=2.5, zorder=1)
        if reference in others:
            _line(axes, experiment, layout.way(reference, panel), REFERENCE, -SIDE_STEP, size=2.5)
        _line(axes, experiment, layout.way(line, panel), LOOKS[0], SIDE_STEP, size=3)
        axes.set_title(line if len(layout.panels) == 1 else f"{line}, {panel}", fontsize=8)
    _finish(experiment, all_axes, len(drawn), columns)
    return figure


def _line(
    axes: Axes, experiment: Experiment, way: Way, look: Look, side_step: float, size: float = 4.5
) -> tuple[float, float]:
    """Draw it; where it ends."""
    x, y, sd = _points(experiment, way)
    axes.plot(x + side_step, y, color=look.colour, linestyle=look.dashes, linewidth=1.3, zorder=3)
    axes.errorbar(
        x + side_step,
        y,
        sd,
        color=look.colour,
        fmt=look.marker,
        markersize=size,
        markeredgecolor="white",
        markeredgewidth=0.5,
        elinewidth=0.9,
        zorder=4,
    )
    return x[-1] + side_step, y[-1]


def _points(experiment: Experiment, way: Way) -> tuple[Floats, Floats, Floats]:
    """Doublings, mean Dice and its standard deviation; of a single seed none."""
    spreads = [(budget, experiment.spread(way, budget)) for budget in experiment.budgets]
    there = [(math.log2(budget), one.mean, one.sd or 0) for budget, one in spreads if one.mean is not None]
    x, y, sd = np.array(there, dtype=float).reshape(-1, 3).T
    return x, y, sd


def _finish(experiment: Experiment, all_axes: Sequence[Axes], used: int, columns: int) -> None:
    """Axes: budgets below, Dice on the left, and panels without content away."""
    for place, axes in enumerate(all_axes):
        axes.set_visible(place < used)
        axes.set_xticks([math.log2(budget) for budget in experiment.budgets], map(str, experiment.budgets))
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        if place + columns >= used:  # nothing below it
            axes.set_xlabel("labelled cases")
            axes.tick_params(labelbottom=True)
        if place % columns == 0:
            axes.set_ylabel("mean Dice")


def _label_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], looks: Mapping[str, Look]) -> None:
    """Write each line's name at its end, right of the panel and apart from each other."""
    bottom, top = axes.get_ylim()
    heights = spread_apart([y for _, y in ends.values()], LABEL_GAP * (top - bottom))
    for (line, end), height in zip(ends.items(), heights, strict=True):
        axes.annotate(
            line,
            end,
            xytext=(1.03, height),
            textcoords=axes.get_yaxis_transform(),  # of the panel's width; Dice
            color=looks[line].colour,
            va="center",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.7, "shrinkB": 4},
        )


def _title(experiment: Experiment) -> str:
    return f"{experiment.cells[0].dataset}: what labels buy"
