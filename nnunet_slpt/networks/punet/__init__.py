"""PUNet: a U-shaped network whose every stage takes the tokens of the classes that are asked for.

PyTorch, and nnU-Net's own convolution blocks.

References:
    Fischer et al., "Prompt Tuning for Parameter-efficient Medical Image Segmentation", arXiv:2211.09233.
"""

from nnunet_slpt.networks.punet.body import Body
from nnunet_slpt.networks.punet.label_network import LabelPUNet
from nnunet_slpt.networks.punet.network import PUNet
from nnunet_slpt.networks.punet.tokens import PROMPTED_RANGES

__all__ = ["PROMPTED_RANGES", "PUNET", "Body", "LabelPUNet", "PUNet"]

PUNET = "nnunet_slpt.networks.punet.PUNet"  # as nnU-Net's plans name it
