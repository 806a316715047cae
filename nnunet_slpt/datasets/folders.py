"""Where nnU-Net has a dataset: its folder of raw data, and that of what is made from it.

Looks at names, and writes nothing. Must not import the networks.
"""

__all__ = ["dataset_folder", "label_copy", "preprocessed_folder"]

import os
import re
from pathlib import Path

from nnunetv2.paths import nnUNet_preprocessed, nnUNet_raw
from nnunetv2.utilities.dataset_name_id_conversion import find_candidate_datasets

from nnunet_slpt.errors import DatasetError, one_of
from nnunet_slpt.host_conventions import LABELS_FOLDER


def dataset_folder(dataset: str) -> Path:
    """The folder of a dataset in ``nnUNet_raw``.

    Args:
        dataset: its name or number, as ``-d`` of nnU-Net's commands takes them.

    Raises:
        DatasetError: ``nnUNet_raw`` is not set or no folder, or there is no such dataset in it, or several.
    """
    got = nnUNet_raw.get()
    raw = Path(got or "")
    if not got or not raw.is_dir():
        raise DatasetError(
            f"The environment variable nnUNet_raw is {got or 'not set'}, expected the folder of the raw "
            "datasets. Set it: export nnUNet_raw=FOLDER"
        )
    names = [dataset]
    if re.fullmatch("[0-9]+", dataset):
        names = [str(name) for name in find_candidate_datasets(int(dataset))]
    if len(names) > 1:
        raise DatasetError(
            f"{len(names)} datasets have the number {dataset} in nnUNet_raw, nnUNet_preprocessed and "
            f"nnUNet_results: {', '.join(names)}. Expected one; rename the others, as nnU-Net asks for too."
        )
    known = sorted(path.name for path in raw.glob("Dataset*") if path.is_dir())
    if not names or names[0] not in known:
        raise DatasetError(
            f"{one_of('dataset', dataset, known or ['none'])}. These are in nnUNet_raw ({raw}); "
            "pass a name or a number, as in -d Dataset004_Hippocampus or -d 4."
        )
    return raw / names[0]


def preprocessed_folder(dataset: str) -> Path:
    """Where nnU-Net looks for a dataset's plans, splits and preprocessed cases; it need not be there.

    Args:
        dataset: its whole name.

    Raises:
        DatasetError: ``nnUNet_preprocessed`` is not set.
    """
    folder = nnUNet_preprocessed.get()
    if not folder:
        raise DatasetError(
            "The environment variable nnUNet_preprocessed is not set, expected the folder for plans, splits "
            "and preprocessed cases. Set it: export nnUNet_preprocessed=FOLDER"
        )
    return Path(os.path.abspath(folder)) / dataset


def label_copy(preprocessed: Path, case: str, ending: str) -> Path:
    """The label that nnU-Net validates a case with, a copy; it need not be there.

    Args:
        preprocessed: the preprocessed dataset's folder.
        case: its name.
        ending: of the dataset's files.
    """
    return preprocessed / LABELS_FOLDER / f"{case}{ending}"
