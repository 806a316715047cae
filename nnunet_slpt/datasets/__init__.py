"""Raw nnU-Net datasets, read-only: which cases there are, and whether their images can be used.

Must not import the networks.
"""

__all__ = [
    "NOT_ANNOTATED",
    "UNLABELLED",
    "Case",
    "channel_count",
    "channel_names",
    "dataset_folder",
    "preprocessed_folder",
    "read_cases",
    "read_dataset_json",
]

from nnunet_slpt.datasets.cases import (
    NOT_ANNOTATED,
    UNLABELLED,
    Case,
    channel_count,
    channel_names,
    read_cases,
    read_dataset_json,
)
from nnunet_slpt.datasets.folders import dataset_folder, preprocessed_folder
