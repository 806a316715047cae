"""The figures of paired differences: every seed, its mean and spread, on which side of the reference.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["draw_differences"]

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnunet_slpt.evaluation.experiment import Way
from nnunet_slpt.evaluation.pairs import Comparison
from nnunet_slpt.evaluation.report.style import FAINT, GREY, INK, LOOKS, draw_on, new_figure
from nnunet_slpt.evaluation.report.words import panel_title

ROW, FRAME = 0.19, 1.5  # inches: a comparison; title, caption, axis
GAP = 0.9  # rows, between two that are compared


def draw_differences(
    comparisons: Mapping[Way, list[Comparison]], by_method: bool, reference: str, dataset: str
) -> Figure:
    """Draw them.

    Args:
        comparisons: at least one.
        by_method: methods are compared, a panel for each strategy; else the other way round.
        reference: the method or strategy they are compared with.
        dataset: its name, for the title.
    """
    rows = list(dict.fromkeys(_row(one, by_method) for one in comparisons))
    panels = list(dict.fromkeys(_panel(one, by_method) for one in comparisons))
    places = _places(comparisons, rows, by_method)
    depth = -min(places.values()) + 1
    figure = new_figure(
        max(5.0, 1.4 + 2.2 * len(panels)),
        FRAME + ROW * depth,
        f"{dataset}: against {reference}",
        "Rows: labelled cases. Small: a seed. Large: mean; bar: standard deviation.",
    )
    all_axes = draw_on(figure, 1, len(panels), sharex=True, sharey=True)
    for axes, panel in zip(all_axes, panels, strict=True):
        _frame(axes, places, depth)
        axes.set_title(panel_title(panel, by_method))
        for one, many in comparisons.items():
            for each in many if _panel(one, by_method) == panel else ():
                _draw(axes, each, places[_row(one, by_method), each.budget])
        axes.set_xlabel(f"points of Dice ahead of {reference}")
    return figure


def _row(one: Way, by_method: bool) -> str:
    return one.method if by_method else one.strategy


def _panel(one: Way, by_method: bool) -> str:
    return one.strategy if by_method else one.method


Places = Mapping[tuple[str, int | None], float]


def _places(comparisons: Mapping[Way, list[Comparison]], rows: list[str], by_method: bool) -> Places:
    """Where each row and budget is drawn, downwards from 0; the mean over all budgets comes last."""
    places: dict[tuple[str, int | None], float] = {}
    height = 0.0
    for row in rows:
        budgets = {
            each.budget for one, many in comparisons.items() if _row(one, by_method) == row for each in many
        }
        for budget in sorted(budgets, key=lambda b: (b is None, b)):
            places[row, budget] = height
            height -= 1
        height -= GAP
    return places


def _frame(axes: Axes, places: Places, depth: float) -> None:
    labels = [
        f"{row}   {'all' if budget is None else budget}"
        if first
        else ("all" if budget is None else str(budget))
        for (row, budget), first in zip(places, _is_first(places), strict=True)
    ]
    axes.set_yticks(list(places.values()), labels)
    axes.set_ylim(-depth + 0.3, 0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def _is_first(places: Places) -> list[bool]:
    rows = [row for row, _ in places]
    return [row not in rows[:index] for index, row in enumerate(rows)]


def _draw(axes: Axes, one: Comparison, height: float) -> None:
    colour = INK if one.budget is None else LOOKS[0].colour
    seeds = [100 * value for value in one.by_seed.values()]
    axes.plot(seeds, [height] * len(seeds), "o", markersize=2.5, color=GREY, alpha=0.6, zorder=2)
    axes.errorbar(
        100 * one.seeds.mean,
        height,
        xerr=100 * (one.seeds.sd or 0),
        fmt="D" if one.budget is None else "o",
        markersize=4.5,
        color=colour,
        elinewidth=1.1,
        zorder=3,
    )
