"""The worklist for the people who annotate: ``to_annotate.csv``.

Makes its text alone; ``round_store`` writes it. Must not import torch or nnU-Net.
"""

__all__ = ["worklist_text"]

import csv
import io
from collections.abc import Mapping, Sequence
from os import PathLike, fspath

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.rounds import Round

COLUMNS = ("rank", "case", "images", "value", "reason", "label_file")
BETWEEN_IMAGES = "; "


def worklist_text(
    one: Round,
    images: Mapping[str, Sequence[str | PathLike[str]]],
    labels: Mapping[str, str | PathLike[str]],
) -> str:
    """One line for each chosen case, the most wanted first.

    Args:
        one: the round.
        images: name → its image files, by channel; they share a column, separated by ``; ``.
        labels: name → the label file to be written.

    Raises:
        SelectionError: a chosen case has no image or no label file.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for case in one.cases:
        if not case.chosen:
            continue
        if not images.get(case.name) or case.name not in labels:
            raise SelectionError(
                f"Round {one.number} chose {case.name!r}, which has {len(images.get(case.name, ()))} image "
                f"file(s) and {int(case.name in labels)} label file, expected 1 or more and 1. This is a "
                "mistake in nnunet_slpt; please report it."
            )
        files = BETWEEN_IMAGES.join(fspath(image) for image in images[case.name])
        value = "" if case.value is None else f"{case.value:.6g}"
        table.writerow((case.rank, case.name, files, value, case.reason, fspath(labels[case.name])))
    return text.getvalue()
