"""What can be set: the block ``plans["slpt"]``, validated once.

It lives in the plans file because inference rebuilds the network from the plans alone.
Must not import torch or nnU-Net.
"""

from nnunet_slpt.config.prompts import PromptConfig
from nnunet_slpt.config.punet import PUNET_VARIANTS, PUNetConfig, PUNetPretrainConfig
from nnunet_slpt.config.training import PLANS_KEY, STEMS, TrainingConfig

__all__ = [
    "PLANS_KEY",
    "PUNET_VARIANTS",
    "STEMS",
    "PUNetConfig",
    "PUNetPretrainConfig",
    "PromptConfig",
    "TrainingConfig",
]
