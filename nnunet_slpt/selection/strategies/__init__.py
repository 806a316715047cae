"""The strategies, one a file; those that rank by one score share ``ranking``.

They are pure numpy and scikit-learn on arrays: must not import torch or nnU-Net.
"""

__all__ = [
    "STRATEGIES",
    "TESLA",
    "Candidates",
    "Choice",
    "Strategy",
    "check_candidates",
    "make_strategy",
    "resolve",
]

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.checks import check_candidates
from nnunet_slpt.selection.strategies.registry import STRATEGIES, TESLA, make_strategy, resolve
