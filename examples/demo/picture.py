"""A picture of some cases: the image, the truth and the prediction side by side.

Reads images and labels as nnU-Net does, with SimpleITK. Must not import torch or nnU-Net.
"""

__all__ = ["Sheet", "draw", "slice_to_show"]

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

Volume = NDArray[np.float32]
Labels = NDArray[np.int64]

CT_WINDOW_HU = (-110.0, 240.0)
COLOURS = ("#4cc9f0", "#ff9f1c", "#80ed99", "#c77dff", "#ff5d8f", "#ffe66d")
INK, FAINT_INK, PAPER = "#eef1f6", "#8b93a3", "#000000"
COLUMNS = ("image", "truth", "prediction")
MARGIN_VOXELS = 1
PANEL, GAP, LEFT, TOP, BOTTOM = 2.6, 0.07, 1.75, 0.95, 0.55  # inches


@dataclass(frozen=True)
class Sheet:
    """Where the cases lie and what they are called.

    Args:
        images: folder of the images, channel ``_0000`` is shown.
        truth: folder of the true labels.
        prediction: folder of the predictions.
        file_ending: of all files.
        classes: names of the foreground classes, by the number of their label.
        is_ct: whether intensities are HU.
    """

    images: Path
    truth: Path
    prediction: Path
    file_ending: str
    classes: Mapping[int, str]
    is_ct: bool


def draw(sheet: Sheet, captions: Mapping[str, str], title: str, path: Path) -> None:
    """Draw one row for each case.

    Args:
        sheet: where the cases lie.
        captions: what is written beside each case, by case.
        title: what is written above.
        path: the PNG to write.
    """
    rows = [_cut(sheet, case) for case in captions]
    heights = [PANEL * image.shape[0] * aspect / image.shape[1] for image, _, _, aspect in rows]
    figure = Figure((LEFT + 3 * (PANEL + GAP), TOP + sum(h + GAP for h in heights) + BOTTOM), facecolor=PAPER)
    FigureCanvasAgg(figure)
    y = figure.get_figheight() - TOP
    for (image, truth, prediction, aspect), height, caption in zip(
        rows, heights, captions.values(), strict=True
    ):
        y -= height + GAP
        for column, labels in enumerate((None, truth, prediction)):
            ax = _axes(figure, LEFT + column * (PANEL + GAP), y, height)
            _panel(ax, image, labels, sheet, aspect)
        _write(figure, LEFT - 0.15, y + height / 2, caption, ha="right", fontsize=9.5, linespacing=1.5)
    _decorate(figure, sheet, title)
    figure.savefig(path, dpi=160, facecolor=PAPER)


def _axes(figure: Figure, x: float, y: float, height: float) -> Axes:
    """Add axes at a place in inches."""
    width, total = figure.get_size_inches()
    return figure.add_axes((x / width, y / total, PANEL / width, height / total))


def _write(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Write text at a place in inches."""
    width, total = figure.get_size_inches()
    figure.text(x / width, y / total, text, va="center", **{"color": INK, **style})


def _decorate(figure: Figure, sheet: Sheet, title: str) -> None:
    """Add title, names of the columns and legend."""
    width, total = figure.get_size_inches()
    _write(figure, width / 2, total - 0.35, title, ha="center", fontsize=13.5, weight="bold")
    for column, name in enumerate(COLUMNS):
        x = LEFT + column * (PANEL + GAP) + PANEL / 2
        _write(figure, x, total - TOP + 0.1, name, ha="center", fontsize=11, color=FAINT_INK)
    handles = [
        Patch(facecolor=to_rgba(_colour(label), 0.35), edgecolor=_colour(label), linewidth=1.4, label=name)
        for label, name in sheet.classes.items()
    ]
    place = ((LEFT + 1.5 * PANEL + GAP) / width, BOTTOM / 2 / total)
    legend: dict[str, Any] = {
        "loc": "center",
        "bbox_to_anchor": place,
        "ncol": len(handles),
        "frameon": False,
    }
    figure.legend(
        handles=handles, labelcolor=INK, fontsize=10.5, handlelength=1.3, handleheight=1.1, **legend
    )


def _panel(ax: Axes, image: Volume, labels: Labels | None, sheet: Sheet, aspect: float) -> None:
    """Draw one slice, with the labels as a tint and a contour."""
    low, high = CT_WINDOW_HU if sheet.is_ct else np.percentile(image, (1, 99.5))
    ax.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bicubic")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if labels is None:
        return
    for label in sheet.classes:
        mask = (labels == label).astype(np.float64)
        if not mask.any():
            continue
        ax.contourf(mask, levels=[0.5, 1.5], colors=[to_rgba(_colour(label), 0.25)])
        ax.contour(mask, levels=[0.5], colors=[_colour(label)], linewidths=1.4)


def _colour(label: int) -> str:
    """Give each label its colour."""
    return COLOURS[(label - 1) % len(COLOURS)]


def _cut(sheet: Sheet, case: str) -> tuple[Volume, Labels, Labels, float]:
    """Read a case and cut out what is shown: image, truth, prediction, each (Y, X), and a pixel's shape."""
    scan: Any = SimpleITK.ReadImage(str(sheet.images / f"{case}_0000{sheet.file_ending}"))
    image = SimpleITK.GetArrayFromImage(scan).astype(np.float32)
    truth, prediction = (
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / f"{case}{sheet.file_ending}"))).astype(
            np.int64
        )
        for folder in (sheet.truth, sheet.prediction)
    )
    z = slice_to_show(truth)
    window: Any = _body(image[z]) if sheet.is_ct else np.s_[:, :]
    spacing_mm = scan.GetSpacing()
    return image[z][window], truth[z][window], prediction[z][window], spacing_mm[1] / spacing_mm[0]


def slice_to_show(truth: Labels) -> int:
    """Choose the slice with the most classes; among these the one that shows the most of the rarest class."""
    labels = [label for label in np.unique(truth) if label > 0]
    if not labels:
        return int(truth.shape[0]) // 2
    areas = np.stack([(truth == label).sum(axis=(1, 2)) for label in labels])
    rarest = areas[areas.sum(axis=1).argmin()]
    return int(np.lexsort((rarest, (areas > 0).sum(axis=0)))[-1])


def _body(image: Volume) -> tuple[slice, slice]:
    """Give the rectangle around what is not air."""
    rows, columns = np.nonzero(image > -500)
    if not len(rows):
        return np.s_[:, :]
    return tuple(
        slice(max(int(found.min()) - MARGIN_VOXELS, 0), int(found.max()) + 1 + MARGIN_VOXELS)
        for found in (rows, columns)
    )  # type: ignore[return-value]
