"""The worklist for the people who annotate: ``to_annotate.csv``.

Makes its text alone; ``round_store`` writes it. Must not import torch or nnU-Net itself.
"""

__all__ = ["worklist_text"]

import csv
import io
from collections.abc import Mapping

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.rounds import Round

COLUMNS = ("rank", "case", "images", "value", "reason", "label_file")
BETWEEN_IMAGES = "; "


def worklist_text(one: Round, cases: Mapping[str, Case]) -> str:
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
