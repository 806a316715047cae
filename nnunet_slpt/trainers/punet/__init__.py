"""PUNet's two trainers: one pretrains a body, the other tunes the tokens of new classes in it."""

from nnunet_slpt.trainers.punet.pretraining import nnUNetTrainerPUNetPretrain
from nnunet_slpt.trainers.punet.tuning import nnUNetTrainerPUNet

__all__ = ["nnUNetTrainerPUNet", "nnUNetTrainerPUNetPretrain"]
