"""The report as a whole: its files, the same from the same cells, partial grids, what is refused."""

import csv
import json
import struct
from pathlib import Path

import matplotlib as mpl
import pytest
from made_up_cells import made_up_cell, write_cells

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.cells import Cell
from nnunet_slpt.evaluation.means import score
from nnunet_slpt.evaluation.report import write_report

FIGURES = {
    f"{name}.{kind}" for name in ("dice", "classes", "methods", "strategies") for kind in ("png", "svg")
}
TEXTS = {"summary.md", "table.md", "table.csv"}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_same_cells_give_the_same_bytes(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", budgets=[4, 80], seeds=[0, 1])
    page = write_report(cells, tmp_path / "one")
    with mpl.rc_context({"font.size": 30, "axes.labelsize": 30}):  # as nnU-Net's logger leaves it
        write_report(cells, tmp_path / "deep" / "two")
    assert page == tmp_path / "one" / "summary.md"
    assert contents(tmp_path / "one").keys() == FIGURES | TEXTS
    assert contents(tmp_path / "one") == contents(tmp_path / "deep" / "two")


def test_figures_that_no_longer_apply_are_removed(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", budgets=[4], seeds=[0])
    write_report(cells, tmp_path / "report")
    for file in cells.glob("full__*"):
        file.unlink()
    (tmp_path / "report" / "notes.txt").write_text("by hand")
    page = write_report(cells, tmp_path / "report")
    gone = {"methods.png", "methods.svg"}
    assert contents(tmp_path / "report").keys() == (FIGURES | TEXTS | {"notes.txt"}) - gone
    assert "methods.png" not in page.read_text()


def test_a_single_cell_makes_a_report(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", ["slpt"], ["tesla"], [5], [0])
    text = write_report(cells, tmp_path / "report").read_text()
    assert "With 5 labelled cases the best is slpt + tesla" in text
    assert "there are not two budgets" in (tmp_path / "report" / "table.md").read_text()


def test_many_methods_have_a_panel_each(tmp_path: Path) -> None:
    names = ["full", "slpt", *(f"other_{number}" for number in range(6))]
    cells = write_cells(tmp_path / "cells", names, ["random"], [4, 8], [0])
    write_report(cells, tmp_path / "report")
    svg = (tmp_path / "report" / "dice.svg").read_text()
    assert all(f">{name}<" in svg for name in names[1:])
    assert "Dashed: full." in svg
    width, height = struct.unpack(">II", (tmp_path / "report" / "dice.png").read_bytes()[16:24])
    assert width > 1000
    assert height > 600


def test_more_methods_than_looks_over_all_panels_have_a_panel_each(tmp_path: Path) -> None:
    names = ["full", *(f"other_{number}" for number in range(5))]
    cells = write_cells(tmp_path / "cells", names, ["random"], [4, 8], [0])
    write_report(cells, tmp_path / "few")
    assert "Grey: the others" not in (tmp_path / "few" / "dice.svg").read_text()
    write_report(write_cells(cells, ["one_more"], ["kmeans"], [4], [0]), tmp_path / "many")
    assert "Grey: the others" in (tmp_path / "many" / "dice.svg").read_text()


def test_undefined_dice_and_a_reference_that_is_not_there_are_no_problem(tmp_path: Path) -> None:
    names = ["full", *(f"other_{number}" for number in range(7))]
    cells = write_cells(tmp_path / "cells", names, ["random", "tesla"], [4], [0])
    (cells / "full__tesla__4__0.json").unlink()
    nothing = made_up_cell("other_0", "tesla", 4, 0)
    for classes in nothing["test"].values():
        classes.update({name: {"dice": None} for name in classes})
    (cells / "other_0__tesla__4__0.json").write_text(json.dumps(nothing))
    text = write_report(cells, tmp_path / "report").read_text()
    assert "| other_0 + tesla | - |" in text
    for file in cells.glob("*__random__*"):
        file.unlink()
    for file in cells.glob("other_[1-9]*"):
        file.unlink()
    assert "No Dice is defined with 4 labelled cases." in write_report(cells, tmp_path / "report").read_text()


def test_rows_of_the_csv_are_the_cells(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", budgets=[4], seeds=[0, 1])
    write_report(cells, tmp_path / "report")
    with (tmp_path / "report" / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    content = made_up_cell("slpt", "tesla", 4, 1)
    row = rows[-1]
    assert [row[key] for key in ("method", "strategy", "budget", "seed")] == ["slpt", "tesla", "4", "1"]
    assert float(row["dice"]) == score(Cell.of(content))
    assert row["tuned_parameters"] == "52000"
    assert row["command"] == content["command"]
    assert row["settings"] == '{"epochs": 50}'
    assert rows[0]["uncertainty_correlation"] == ""  # nobody scored the pool


def test_refused_report_leaves_nothing(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", budgets=[4], seeds=[0])
    with pytest.raises(EvaluationError, match="unknown strategy 'lucky'"):
        write_report(cells, tmp_path / "report", reference_strategy="lucky")
    assert not (tmp_path / "report").exists()
