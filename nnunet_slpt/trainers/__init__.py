"""nnU-Net adapters: hooks, no mathematics."""

from nnunet_slpt.trainers.slpt import nnUNetTrainerSLPT

__all__ = ["nnUNetTrainerSLPT"]
