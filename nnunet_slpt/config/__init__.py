"""What can be set: the block ``plans["slpt"]``, validated once.

It lives in the plans file because inference rebuilds the network from the plans alone.
Must not import torch or nnU-Net.
"""

from nnunet_slpt.config.prompts import PromptConfig
from nnunet_slpt.config.punet import PUNET_VARIANTS, PUNetConfig, PUNetPretrainConfig
from nnunet_slpt.config.training import (
    FIRST_REVISION,
    PLANS_KEY,
    REVISION,
    STEMS,
    TrainingConfig,
    check_revision,
    of_other_revision,
)

__all__ = [
    "FIRST_REVISION",
    "PLANS_KEY",
    "PUNET_VARIANTS",
    "REVISION",
    "STEMS",
    "PUNetConfig",
    "PUNetPretrainConfig",
    "PromptConfig",
    "TrainingConfig",
    "check_revision",
    "of_other_revision",
]
