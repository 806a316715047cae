"""Our trainers, re-exported for nnU-Net. Nothing else may live in this folder; see discovery.py."""

from nnunet_slpt.trainers import nnUNetTrainerSLPT

__all__ = ["nnUNetTrainerSLPT"]
