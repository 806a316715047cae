"""How our figures look, so that they can be read in grey and on a page, and how they become files.

matplotlib alone. Must not import anything else of this package.
"""

__all__ = [
    "FAINT",
    "GREY",
    "INK",
    "LOOKS",
    "REFERENCE",
    "Look",
    "as_bytes",
    "draw_on",
    "new_figure",
    "our_style",
    "spread_apart",
]

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, GREY, FAINT = "#1a1a1a", "#6e6e6e", "#d4d4d4"
DPI = 200
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "svg.hashsalt": "nnunet_slpt",  # names inside the file do not change from run to run
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Look:
    """What tells a line from another, in colour, in grey and to the colour-blind.

    Args:
        colour: of the set by Okabe and Ito.
        marker: matplotlib's name.
        dashes: matplotlib's name.
    """

    colour: str
    marker: str
    dashes: str = "-"


REFERENCE = Look(INK, "o", "--")
LOOKS = (
    Look("#0072b2", "s"),
    Look("#d55e00", "^"),
    Look("#009e73", "D"),
    Look("#cc79a7", "v"),
    Look("#e69f00", "P"),
)


def our_style() -> AbstractContextManager[None]:
    """In which figures are drawn and become files.

    Over matplotlib's own defaults: nnU-Net's logger calls ``seaborn.set(font_scale=2.5)`` in the process.
    """
    return style.context(["default", STYLE])


def new_figure(width: float, height: float, title: str, caption: str) -> Figure:
    """An empty figure with a title and a line that says what is drawn.

    Args:
        width: inches.
        height: inches.
        title: bold, at the top.
        caption: below it, smaller.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontsize=11, fontweight="bold")
    figure.text(0.01, 1 - 0.3 / height, caption, ha="left", va="top", color=GREY)
    return figure


def draw_on(figure: Figure, rows: int, columns: int, **options: Any) -> list[Axes]:
    """Panels, row by row."""
    return [axes for row in figure.subplots(rows, columns, squeeze=False, **options) for axes in row]


def as_bytes(figure: Figure, kind: str) -> bytes:
    """The content of a file of this kind, the same for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return stream.getvalue()


def spread_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Where to write labels that would overlap: as near to their heights as the gap between two allows.

    >>> spread_apart([1.0, 1.0, 5.0], 1.0)
    [0.5, 1.5, 5.0]
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while len(groups) > 1 and _bottom(groups[-1], heights, gap) < _top(groups[-2], heights, gap) + gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    placed = {
        index: _bottom(group, heights, gap) + step * gap
        for group in groups
        for step, index in enumerate(group)
    }
    return [placed[index] for index in range(len(heights))]


def _bottom(group: Sequence[int], heights: Sequence[float], gap: float) -> float:
    return sum(heights[index] for index in group) / len(group) - gap * (len(group) - 1) / 2


def _top(group: Sequence[int], heights: Sequence[float], gap: float) -> float:
    return _bottom(group, heights, gap) + gap * (len(group) - 1)
