"""The tuned tiny task with ``nnunet_slpt_select``, and what it writes."""

from __future__ import annotations

import json
from typing import Any

from nnunet_slpt.selection.cli import main

DATASET = "Dataset801_Tiny"
ROUNDS = "round_[0-9][0-9].json"
QUICK = ("-device", "cpu", "-npp", "0", "-nps", "1", "--disable_tta")


class Campaign:
    """The tuned task, with the command, and what it writes."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.labels = task.raw / DATASET / "labelsTr"
        self.home = task.preprocessed / DATASET / "slpt_selection"
        self.prompted = task.results / DATASET / "nnUNetTrainerSLPT__nnUNetPlans__3d_fullres"

    def select(self, *arguments: object) -> int:
        return main(["-d", "801", *QUICK, *map(str, arguments)])

    def round(self, number: int) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.home / f"round_{number:02d}.json").read_text())
        return content

    def chosen(self, number: int) -> list[str]:
        return [case["name"] for case in self.round(number)["cases"] if case["chosen"]]

    def split(self) -> Any:
        return json.loads(self.task.splits_file.read_text())

    def keep_labels(self, *cases: str) -> None:
        """Prospective: the others are not annotated yet."""
        for file in self.labels.iterdir():
            if file.name.removesuffix(".nii.gz") not in cases:
                file.rename(file.parents[1] / file.name)

    def annotate(self, *cases: str) -> None:
        for case in cases:
            (self.labels.parent / f"{case}.nii.gz").rename(self.labels / f"{case}.nii.gz")
