"""Checks of the place: do nnU-Net's commands find here what they need?

Writes nothing.
"""

__all__ = ["results_folder", "trainer"]

import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

from nnunetv2.paths import nnUNet_results
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from nnunet_slpt.doctor.examined import Examined
from nnunet_slpt.planners.comparison import Finding


def results_folder(_: Examined) -> Iterator[Finding]:
    """nnUNetv2_train wants to know where to write."""
    if not nnUNet_results.get():
        yield Finding(
            "error",
            "nnUNet_results",
            "the environment variable is not set, nnUNetv2_train would not start.",
            "Set it: export nnUNet_results=FOLDER",
        )


def trainer(examined: Examined) -> Iterator[Finding]:
    """nnU-Net finds our trainer by its name, as it will when it trains."""
    name = examined.tuning.trainer
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports on its way; it tells where it searches, too
            recursive_find_trainer_class_by_name(name)
    except RuntimeError:
        yield Finding(
            "error",
            "trainer",
            f"nnU-Net does not find {name}: the hook that names our folder to it is switched off here.",
            'Name it by hand: eval "$(nnunet_slpt_env)"',
        )
