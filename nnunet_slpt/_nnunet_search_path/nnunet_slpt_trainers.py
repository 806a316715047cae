"""Our trainers, re-exported for nnU-Net. Nothing else may live in this folder; see discovery.py."""

from nnunet_slpt.trainers import (
    nnUNetTrainerBiasNorm,
    nnUNetTrainerDecoder,
    nnUNetTrainerFullAdamW,
    nnUNetTrainerFullSGD,
    nnUNetTrainerHead,
    nnUNetTrainerLoRA,
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
    "nnUNetTrainerSLPT",
    "nnUNetTrainerScratch",
]
