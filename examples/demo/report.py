"""The result of the demo: Dice per case and class as text, Markdown and JSON.

Reads what ``nnUNetv2_evaluate_folder`` wrote. Must not import torch or nnU-Net.
"""

__all__ = ["Scores", "class_labels", "markdown", "read_scores", "table", "write_report"]

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Dice of every test case.

    Args:
        classes: names of the foreground classes, by the number of their label.
        dice: Dice by case and class name; NaN where neither truth nor prediction has the class.
    """

    classes: dict[int, str]
    dice: dict[str, dict[str, float]]

    @property
    def mean(self) -> dict[str, float]:
        """Mean over the cases by class name, without the NaN."""
        return {name: _mean([case[name] for case in self.dice.values()]) for name in self.classes.values()}

    def worst_to_best(self) -> list[str]:
        """Cases by the mean over their classes."""
        return sorted(self.dice, key=lambda case: _mean(list(self.dice[case].values())))


def _mean(values: list[float]) -> float:
    """Mean without the NaN; NaN where nothing is left."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def class_labels(description: Mapping[str, Any]) -> dict[str, int]:
    """The foreground classes that can be reported, and their labels: neither regions nor what is ignored.

    Args:
        description: content of a raw dataset's ``dataset.json``.
    """
    return {
        name: label
        for name, label in description.get("labels", {}).items()
        if isinstance(label, int) and label and name != "ignore"
    }


def read_scores(summary: Path, dataset_json: Path) -> Scores:
    """Read ``summary.json`` of nnU-Net; regions are left out, each class has one label.

    Raises:
        ValueError: no class of the dataset is in the summary.
    """
    description: dict[str, Any] = json.loads(dataset_json.read_text())
    labels = class_labels(description)
    cases = json.loads(summary.read_text())["metric_per_case"]
    classes = {label: name for name, label in labels.items() if cases and str(label) in cases[0]["metrics"]}
    if not classes:
        raise ValueError(f"{summary} has none of the classes {labels} of {dataset_json}")
    ending = description["file_ending"]
    dice = {
        Path(case["reference_file"]).name.removesuffix(ending): {
            name: _number(case["metrics"][str(label)]["Dice"]) for label, name in classes.items()
        }
        for case in cases
    }
    return Scores(classes, dict(sorted(dice.items())))


def _number(value: float | None) -> float:
    """Read a number that may be missing."""
    return float("nan") if value is None else float(value)


def table(scores: Scores) -> str:
    """Lay the scores out as a Markdown table that reads well as plain text too."""
    names = list(scores.classes.values())
    rows = [["case", *names]]
    rows += [[case, *(_text(dice[name]) for name in names)] for case, dice in scores.dice.items()]
    rows += [["**mean**", *(f"**{_text(scores.mean[name])}**" for name in names)]]
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table of cells; the first row is its head, the first column its names.

    Args:
        rows: of equal length.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(
        1, "|" + "|".join("-" * (w + 1) + ":" if i else "-" * (w + 2) for i, w in enumerate(widths)) + "|"
    )
    return "\n".join(lines)


def _text(dice: float) -> str:
    """Show a Dice; a dash where there is nothing to compare."""
    return "-" if np.isnan(dice) else f"{dice:.3f}"


def write_report(scores: Scores, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``results.md`` and ``results.json``.

    Args:
        scores: what was measured.
        folder: where to write.
        facts: how it was measured: versions, seed, device.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(f"# Dice on the test cases\n\n{table(scores)}\n")
    measured = {"dice": scores.dice, "mean": scores.mean, **facts}
    text = json.dumps(_without_nan(measured), indent=2, allow_nan=False)
    (folder / "results.json").write_text(text + "\n")


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: null instead."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value
