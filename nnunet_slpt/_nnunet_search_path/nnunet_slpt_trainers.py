"""Our trainers, re-exported for nnU-Net. Nothing else may live in this folder; see discovery.py."""

from nnunet_slpt.trainers import (
    nnUNetTrainerBiasNorm,
    nnUNetTrainerDecoder,
    nnUNetTrainerFullAdamW,
    nnUNetTrainerFullSGD,
    nnUNetTrainerHead,
    nnUNetTrainerLoRA,
    nnUNetTrainerPUNet,
    nnUNetTrainerPUNetPretrain,
    nnUNetTrainerScratch,
    nnUNetTrainerSLPT,
)

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
