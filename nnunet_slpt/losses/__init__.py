"""The losses of prompt tuning; torch only, on nnU-Net's shapes and targets.

Must not import nnU-Net, the networks or the trainers.
"""

__all__ = ["PromptLoss", "TverskyLoss", "diversity_loss", "focal_loss", "pairwise_cosine"]

from nnunet_slpt.losses.diversity import diversity_loss, pairwise_cosine
from nnunet_slpt.losses.focal import focal_loss
from nnunet_slpt.losses.prompt_loss import PromptLoss
from nnunet_slpt.losses.tversky import TverskyLoss
