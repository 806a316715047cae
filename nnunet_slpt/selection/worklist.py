"""The worklist for the people who annotate: ``to_annotate.csv``.

Makes its text alone; ``round_store`` writes it. Must not import torch or nnU-Net.
"""

__all__ = ["Annotatable", "worklist_text"]

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.rounds import Round

COLUMNS = ("rank", "case", "images", "value", "reason", "label_file")
BETWEEN_IMAGES = "; "


class Annotatable(Protocol):
    """What the worklist has to know of a case."""

    @property
    def images(self) -> Sequence[Path]:
        """Its image files, by channel."""

    @property
    def label(self) -> Path:
        """The label file to be written."""


def worklist_text(one: Round, cases: Mapping[str, Annotatable]) -> str:
    """One line for each chosen case, the most wanted first; image files share a column, separated by ``; ``.

    Args:
        one: the round.
        cases: by name, the chosen ones at least.

    Raises:
        SelectionError: a chosen case is not in ``cases``.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for scored in one.cases:
        if not scored.chosen:
            continue
        if scored.name not in cases:
            raise SelectionError(
                f"Round {one.number} chose {scored.name!r}, which is none of the {len(cases)} cases of the "
                "dataset. If its images were removed meanwhile, put them back and start again."
            )
        case = cases[scored.name]
        images = BETWEEN_IMAGES.join(map(str, case.images))
        value = "" if scored.value is None else f"{scored.value:.6g}"
        table.writerow((scored.rank, scored.name, images, value, scored.reason, case.label))
    return text.getvalue()
