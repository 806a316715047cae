"""Finished cells: what is read, what is left out and why, what cannot be one experiment."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from made_up_cells import made_up_cell, write_cells

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.cells import Cell, read_cells


def changed(**changes: Any) -> dict[str, Any]:
    """A good cell with other values; dots in a name lead inwards, ``...`` removes."""
    cell = made_up_cell("slpt", "tesla", 4, 0)
    for path, value in changes.items():
        *way, last = path.split(".")
        block = cell
        for step in way:
            block = block[step]
        if value is ...:
            del block[last]
        else:
            block[last] = value
    return cell


def test_reads_what_was_written(tmp_path: Path) -> None:
    folder = read_cells(write_cells(tmp_path, budgets=[16, 4], seeds=[1, 0]))
    assert not folder.left_out
    assert [cell.name for cell in folder.cells][:4] == [
        "full__random__4__0",
        "full__random__4__1",
        "full__random__16__0",
        "full__random__16__1",
    ]
    cell, content = folder.cells[-1], made_up_cell("slpt", "tesla", 16, 1)
    assert cell.test == content["test"]
    assert cell.costs == content["costs"]
    assert {name: vars(one) for name, one in cell.pool.items()} == content["pool"]
    assert cell.shown["command"] == content["command"]


def test_what_was_not_measured_is_none() -> None:
    cell = Cell.of(changed(**{"costs.peak_memory_bytes": ..., "test.test_00.RV.nsd": ..., "pool": None}))
    assert cell.costs["peak_memory_bytes"] is None
    assert cell.test["test_00"]["RV"]["nsd"] is None
    assert cell.pool == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format: got 2, expected 1"),
        ("format", ..., "missing 'format'"),
        ("cell.method", ..., "missing .* argument: 'method'"),
        ("cell", "slpt", "must be a mapping"),
        ("test", {}, "not enough values"),
        ("test", ["test_00"], "'list' object has no attribute"),
        ("test.test_01.RV", ..., "missing 'RV'"),
        ("test.test_01.RV.dice", ..., "missing 'dice'"),
        ("test.test_01.RV", 0.5, "'float' object"),
        ("pool.pool_01", {"value": 1}, "unexpected keyword argument 'value'"),
        ("costs", ..., "missing 'costs'"),
        ("machine", ..., "missing 'machine'"),
        ("cell.budget", 0, "cell.budget: got 0, expected a whole number from 1 to inf"),
        ("cell.budget", "4", "cell.budget: got '4', expected a whole number"),
        ("cell.budget", None, "cell.budget: got None"),
        ("cell.seed", -1, "cell.seed: got -1, expected a whole number from 0"),
        ("cell.seed", 0.5, "cell.seed: got 0.5"),
        ("cell.seed", True, "cell.seed: got True"),
        (
            "test.test_01.RV.dice",
            1.01,
            "test.test_01.RV.dice: got 1.01, expected null or a number from 0 to 1",
        ),
        ("test.test_01.RV.nsd", -0.1, "test.test_01.RV.nsd: got -0.1"),
        ("test.test_01.RV.dice", math.nan, "test.test_01.RV.dice: got nan"),
        ("pool.pool_01.dice", "0.5", "pool.pool_01.dice: got '0.5'"),
        ("pool.pool_01.uncertainty", -math.inf, "pool.pool_01.uncertainty: got -inf"),
        ("costs.train_seconds", -1, "costs.train_seconds: got -1, expected null or a number from 0 to inf"),
        ("costs.parameters", -1, "costs.parameters: got -1"),
        ("costs.peak_memory_bytes", [1], r"costs.peak_memory_bytes: got \[1\]"),
    ],
)
def test_what_is_no_cell_says_why(tmp_path: Path, key: str, value: Any, message: str) -> None:
    (tmp_path / "slpt__tesla__4__0.json").write_text(json.dumps(changed(**{key: value})))
    with pytest.raises(EvaluationError, match=rf"slpt__tesla__4__0.json: not a finished cell \(.*{message}"):
        read_cells(tmp_path)


def test_unfinished_and_foreign_files_are_left_out_and_named(tmp_path: Path) -> None:
    write_cells(tmp_path, methods=["slpt"], strategies=["tesla"], budgets=[4], seeds=[0])
    good = tmp_path / "slpt__tesla__4__0.json"
    (tmp_path / "copy.json").write_bytes(good.read_bytes())
    (tmp_path / "cut.json").write_bytes(good.read_bytes()[:100])
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "foreign.json").write_text('{"dataset": "Dataset027_Heart"}')
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    (tmp_path / "notes.txt").write_text("by hand")
    (tmp_path / ".slpt__tesla__4__1.json.77.part").write_text("{")
    (tmp_path / ".lock").write_text("")
    (tmp_path / "folder").mkdir()
    folder = read_cells(tmp_path)
    assert [cell.name for cell in folder.cells] == ["slpt__tesla__4__0"]
    expected = {
        ".slpt__tesla__4__1.json.77.part": "not finished: it was being written",
        "bytes.json": "not a finished cell ('utf-8' codec",
        "copy.json": "it holds slpt__tesla__4__0;",
        "cut.json": "not a finished cell (Unterminated string",
        "foreign.json": "not a finished cell (missing 'format'); restore it, or move it away",
        "list.json": "not a finished cell (list indices",
        "notes.txt": "no JSON file",
    }
    assert folder.left_out.keys() == expected.keys()
    for name, reason in folder.left_out.items():
        assert reason.startswith(expected[name])


def test_no_finished_cell(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="is no folder"):
        read_cells(tmp_path / "nowhere")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(EvaluationError, match=r"no finished cell(.|\n)*list\.json: not a finished cell"):
        read_cells(tmp_path)


@pytest.mark.parametrize(
    "change", [{"dataset": "Dataset004_Hippocampus"}, {"test": {"a": {"RV": {"dice": 1}}}}]
)
def test_two_experiments_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_cells(tmp_path, budgets=[4], seeds=[0])
    (tmp_path / "slpt__tesla__4__0.json").write_text(json.dumps(changed(**change)))
    with pytest.raises(EvaluationError, match=r"slpt__tesla__4__0\.json about .* folder of its own"):
        read_cells(tmp_path)
