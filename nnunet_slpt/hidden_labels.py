"""Whether a dataset's rounds hide labels that are there: all that training has to know of rounds.

Must not import numpy, torch or nnU-Net.
"""

__all__ = ["HIDE_LABELS", "PROSPECTIVE", "ROUNDS_FOLDER", "hides_labels", "mode_of_rounds"]

from pathlib import Path

from nnunet_slpt.files import json_of

ROUNDS_FOLDER = "slpt_selection"  # in a preprocessed dataset's folder
HIDE_LABELS = "hide_labels"  # the mode of rounds that do
PROSPECTIVE = "prospective"  # and of those that wait for labels


def hides_labels(preprocessed: Path) -> bool:
    """Whether ``nnunet_slpt_select`` was called with ``--hide_labels``; all rounds of a dataset are alike.

    Args:
        preprocessed: folder of the preprocessed dataset.
    """
    return mode_of_rounds(preprocessed) == HIDE_LABELS


def mode_of_rounds(preprocessed: Path) -> str | None:
    """How the rounds of a dataset see labels, in a word; ``None`` where nothing was chosen.

    Args:
        preprocessed: folder of the preprocessed dataset.
    """
    first = json_of(preprocessed / ROUNDS_FOLDER / "round_00.json")
    return str(first.get("mode")) if isinstance(first, dict) else None
