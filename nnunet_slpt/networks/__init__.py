"""The prompted network: torch only, knows nothing of nnU-Net's trainers or files."""

from nnunet_slpt.networks.backbone import SUPPORTED_ARCHITECTURES, check_architecture
from nnunet_slpt.networks.combine import mean_prediction
from nnunet_slpt.networks.prompted_unet import PromptedUNet
from nnunet_slpt.networks.prompts import DiversifiedPrompts
from nnunet_slpt.networks.scale_shift import ScaleShift
from nnunet_slpt.networks.updater import FeatureAwarePromptUpdater

__all__ = [
    "SUPPORTED_ARCHITECTURES",
    "DiversifiedPrompts",
    "FeatureAwarePromptUpdater",
    "PromptedUNet",
    "ScaleShift",
    "check_architecture",
    "mean_prediction",
]
