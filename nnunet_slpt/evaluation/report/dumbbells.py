"""The figure of each class: what each way reaches with few and with many labels.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["draw_classes"]

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.report.style import FAINT, GREY, INK, draw_on, new_figure

SHADE = "#c0c0c0"
AT_MOST_COLUMNS = 4
ROW, FRAME = 0.24, 1.5  # inches: a way; title, caption, axis


def draw_classes(experiment: Experiment) -> Figure:
    """Draw it: a panel for each class, a row for each way, a dot for each budget."""
    ways = sorted(experiment.ways, key=lambda one: _with_fewest(experiment, one))
    names = experiment.classes
    columns = min(len(names), AT_MOST_COLUMNS)
    rows = -(-len(names) // columns)
    figure = new_figure(
        7.4,
        rows * (FRAME - 0.4 + ROW * len(ways)) + 0.5,
        f"{experiment.cells[0].dataset}: class by class",
        "Dice, mean over seeds. Grey bars: standard deviation.",
    )
    all_axes = draw_on(figure, rows, columns, sharey=True)
    for axes, name in zip(all_axes, names, strict=False):
        for height, one in enumerate(ways):
            _row(axes, experiment, one, name, height)
        axes.set_title(name)
        axes.set_yticks(range(len(ways)), [experiment.short(one) for one in ways])
        axes.set_ylim(-0.7, len(ways) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel("Dice")
        axes.locator_params(axis="x", nbins=4)
    for axes in all_axes[len(names) :]:
        axes.set_visible(False)
    _legend(figure, experiment)
    return figure


def _with_fewest(experiment: Experiment, one: Way) -> tuple[float, ...]:
    """What it reaches with the fewest labels, then with more."""
    return tuple(experiment.spread(one, budget).mean or 0 for budget in experiment.budgets)


def _row(axes: Axes, experiment: Experiment, one: Way, name: str, height: int) -> None:
    spreads = [experiment.spread(one, budget, name=name) for budget in experiment.budgets]
    there = [(place, each.mean, each.sd or 0) for place, each in enumerate(spreads) if each.mean is not None]
    axes.plot([mean for _, mean, _ in there], [height] * len(there), color=GREY, linewidth=0.8, zorder=2)
    for place, mean, sd in there:
        if place in (there[0][0], there[-1][0]):  # more of them would overlap
            axes.errorbar(mean, height, xerr=sd, ecolor=SHADE, elinewidth=4, zorder=1)
        axes.plot(
            mean, height, "o", color=_grey(place, len(spreads)), markersize=5, mec=INK, mew=0.6, zorder=3
        )


def _grey(place: int, of: int) -> str:
    """From white for the fewest labels to black for the most."""
    return str(1 - place / max(of - 1, 1))


def _legend(figure: Figure, experiment: Experiment) -> None:
    dots = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markersize=5,
            color=_grey(place, len(experiment.budgets)),
            mec=INK,
        )
        for place in range(len(experiment.budgets))
    ]
    figure.legend(
        dots,
        [str(budget) for budget in experiment.budgets],
        title="labelled cases",
        alignment="right",
        loc="upper right",
        ncols=len(dots),
        frameon=False,
        handletextpad=0,
        columnspacing=1,
    )
