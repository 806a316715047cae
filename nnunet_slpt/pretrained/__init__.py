"""A pretrained nnU-Net, read-only: where it lies, what its checkpoint holds, how its weights are taken over.

Must not import the networks or the trainers.
"""

__all__ = [
    "CHECKPOINTS",
    "FrozenNetwork",
    "Model",
    "Pretrained",
    "adapted_stem",
    "base_hash",
    "check_no_lora",
    "check_unpacked",
    "list_differences",
    "load_backbone",
    "model_folder",
    "origin_of",
    "pretrained_heads",
    "read_checkpoint",
    "read_model",
    "shared_heads",
    "stem_name",
]

from nnunet_slpt.pretrained.backbone import (
    FrozenNetwork,
    base_hash,
    check_no_lora,
    load_backbone,
    pretrained_heads,
    shared_heads,
)
from nnunet_slpt.pretrained.checkpoint import Pretrained, origin_of, read_checkpoint
from nnunet_slpt.pretrained.mismatch import list_differences
from nnunet_slpt.pretrained.model import CHECKPOINTS, Model, check_unpacked, model_folder, read_model
from nnunet_slpt.pretrained.stem import adapted_stem, stem_name
