"""From a folder of finished cells to the folder of the report.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["write_report"]

from pathlib import Path

from matplotlib.figure import Figure

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment
from nnunet_slpt.evaluation.report.curves import draw_curves
from nnunet_slpt.evaluation.report.dumbbells import draw_classes
from nnunet_slpt.evaluation.report.forest import draw_differences
from nnunet_slpt.evaluation.report.style import as_bytes, our_style
from nnunet_slpt.evaluation.report.summary import summary
from nnunet_slpt.evaluation.report.tables import all_tables, cells_as_csv
from nnunet_slpt.files import check_writable, remove, write_bytes, write_text

FIGURES = ("dice", "classes", "methods", "strategies")
KINDS = ("png", "svg")


def write_report(
    cells_folder: Path,
    output: Path,
    reference_method: str | None = None,
    reference_strategy: str | None = None,
) -> Path:
    """Report on the cells that are finished; some may be missing. The same cells give the same files.

    Args:
        cells_folder: with the JSON files of one dataset's cells.
        output: the report's folder; files of an earlier report are replaced.
        reference_method: what other methods are compared with; ``None`` for full fine-tuning, of the methods
            whose names begin with ``full`` the one with the most cells, or else the first by name.
        reference_strategy: what other strategies are compared with; ``None`` for ``random``, or else the
            first by name.

    Returns:
        The page to begin with, ``summary.md``.

    Raises:
        EvaluationError: there is no finished cell, or they cannot be compared, or have no such reference.
        FileError: a file cannot be read or written.
    """
    folder = read_cells(cells_folder)
    experiment = Experiment.of(folder.cells, reference_method, reference_strategy)
    check_writable(output)
    with our_style():
        figures = _figures(experiment)
        drawn = {f"{name}.{kind}": as_bytes(one, kind) for name, one in figures.items() for kind in KINDS}
    output.mkdir(parents=True, exist_ok=True)
    for name, content in drawn.items():
        write_bytes(output / name, content)
    for stale in {f"{name}.{kind}" for name in FIGURES for kind in KINDS} - drawn.keys():
        remove(output / stale)
    write_text(output / "table.csv", cells_as_csv(folder.cells))
    write_text(output / "table.md", all_tables(experiment, folder))
    page = output / "summary.md"
    write_text(page, summary(experiment, folder, list(figures)))
    return page


def _figures(experiment: Experiment) -> dict[str, Figure]:
    """By name, those of ``FIGURES`` for which there is something to draw."""
    figures = {"dice": draw_curves(experiment), "classes": draw_classes(experiment)}
    dataset = experiment.cells[0].dataset
    if experiment.method_comparisons:
        figures["methods"] = draw_differences(
            experiment.method_comparisons, True, experiment.reference.method, dataset
        )
    if experiment.strategy_comparisons:
        figures["strategies"] = draw_differences(
            experiment.strategy_comparisons, False, experiment.reference.strategy, dataset
        )
    return figures
