"""nnU-Net adapters: hooks, no mathematics."""

from nnunet_slpt.trainers.baselines import (
    nnUNetTrainerBiasNorm,
    nnUNetTrainerDecoder,
    nnUNetTrainerFullAdamW,
    nnUNetTrainerFullSGD,
    nnUNetTrainerHead,
    nnUNetTrainerLoRA,
    nnUNetTrainerScratch,
)
from nnunet_slpt.trainers.punet import nnUNetTrainerPUNet, nnUNetTrainerPUNetPretrain
from nnunet_slpt.trainers.slpt import nnUNetTrainerSLPT

__all__ = [
    "nnUNetTrainerBiasNorm",
    "nnUNetTrainerDecoder",
    "nnUNetTrainerFullAdamW",
    "nnUNetTrainerFullSGD",
    "nnUNetTrainerHead",
    "nnUNetTrainerLoRA",
    "nnUNetTrainerPUNet",
    "nnUNetTrainerPUNetPretrain",
    "nnUNetTrainerSLPT",
    "nnUNetTrainerScratch",
]
