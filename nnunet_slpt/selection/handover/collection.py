"""What the user asks of ``nnunet_slpt_collect``: one frozen object, from the command line or from Python.

Must not import torch or nnU-Net.
"""

__all__ = ["Collection"]

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One call of ``nnunet_slpt_collect``.

    Args:
        dataset: name or number.
        folder: with the finished labels.
        overwrite: replace labels that are there; the old ones are kept.
        allow_empty: accept labels that are nothing but background.
        as_predicted: accept pre-labels byte for byte as they were written, where a case has no label.
        dry_run: look and report, but write nothing.
    """

    dataset: str
    folder: Path
    overwrite: bool = False
    allow_empty: bool = False
    as_predicted: bool = False
    dry_run: bool = False
