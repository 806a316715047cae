"""How much GPU memory a tuning takes, by nnU-Net's own rule for its trainings, and whether that is there.

Owns the estimate for U-Nets, the words and the thresholds; a PUNet's is its own. Writes nothing.
"""

__all__ = ["gigabytes", "gpu_memory"]

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from nnunet_slpt.doctor.examined import Examined
from nnunet_slpt.doctor.patches import patch_within
from nnunet_slpt.networks.punet import PUNET
from nnunet_slpt.networks.punet.memory import BYTES, GIGABYTES_AT_LEAST
from nnunet_slpt.networks.punet.memory import gigabytes as gigabytes_of_punet
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.networks.punet.tokens import TOKENS
from nnunet_slpt.planners.comparison import Finding, in_words
from nnunet_slpt.planners.transfer import SMALLEST_BATCH

# nnU-Net's planners (experiment_planning/experiment_planners/: default_experiment_planner.py,
# residual_unets/residual_encoder_unet_planners.py) let the feature maps of a patch have so many numbers,
# for a batch of this size, on a GPU of 8 GB. Network → axes → numbers.
NUMBERS = {
    "PlainConvUNet": {2: 85_000_000, 3: 560_000_000},
    "ResidualEncoderUNet": {2: 135_000_000, 3: 680_000_000},
}
BATCH = {2: 12, 3: 2}
GIGABYTES = 8.0
# Peak memory of prompt tuning against stock full fine-tuning: 1.5 times as measured on a CPU in single
# precision (benchmarks/step.py), 1.3 as counted for a GPU in mixed precision (benchmarks/memory.py).
TUNING = 1.5


def gpu_memory(examined: Examined) -> Iterator[Finding]:
    """What the tuning takes against what the first GPU has, whoever else uses it at this moment."""
    settings, about = examined.new_settings, examined.target.dataset_json
    heads = LabelManager(about["labels"], about.get("regions_class_order")).num_segmentation_heads
    need = gigabytes(settings, len(examined.target.channels), heads)
    words = (
        f"tuning takes about {need:.0f} GB (patch {in_words(settings['patch_size'])}, batch size "
        f"{settings['batch_size']})"
    )
    if not torch.cuda.is_available():
        here = "Train where there is one; with -device cpu it takes long."
        yield Finding("note", "GPU memory", f"{words}; PyTorch sees no GPU here.", here)
        return
    gpu = torch.cuda.get_device_properties(0)
    there = gpu.total_memory / BYTES
    if need > there:
        text = f"{words}, {gpu.name} has {there:.0f} GB."
        yield Finding("warning", "GPU memory", text, _smaller(settings, there / need))
    else:
        yield Finding("note", "GPU memory", f"{words} of the {there:.0f} GB of {gpu.name}.")


def gigabytes(settings: Mapping[str, Any], channels: int, heads: int) -> float:
    """About so much memory the tuning takes, with mixed precision as in nnU-Net.

    The number of prompts, or of a PUNet's classes, does not matter: each pass gives its memory back before
    the next. A PUNet's classes that share a pass (``jointly``) take more, which is not counted.

    Args:
        settings: the configuration, with patch and batch size.
        channels: of the images.
        heads: outputs of the network.
    """
    network = settings["architecture"]
    if network["network_class_name"] == PUNET:
        plan = BodyPlan.from_settings(settings, channels)
        tokens = network["arch_kwargs"].get("tokens", TOKENS)
        return gigabytes_of_punet(plan, settings["batch_size"], tokens)
    unet = get_network_from_plans(
        network["network_class_name"],
        network["arch_kwargs"],
        network["_kw_requires_import"],
        channels,
        heads,
        allow_init=False,
    )
    patch = settings["patch_size"]
    numbers = float(unet.compute_conv_feature_map_size(patch)) * settings["batch_size"]
    kind, axes = network["network_class_name"].rsplit(".", 1)[-1], len(patch)
    of_reference: float = numbers / (NUMBERS[kind][axes] * BATCH[axes])
    return max(TUNING * GIGABYTES * of_reference, GIGABYTES_AT_LEAST)


def _smaller(settings: Mapping[str, Any], share: float) -> str:
    """What to pass so that it takes this share: fewer patches, then smaller ones."""
    batch, patch = settings["batch_size"], settings["patch_size"]
    fewer = int(batch * share)
    if fewer >= SMALLEST_BATCH:
        return f"Plan with --batch_size {fewer}"
    cut = patch_within(share * batch / SMALLEST_BATCH, patch, settings)
    if cut is None:
        return "Take a GPU with more memory, or a smaller model."
    return f"Plan with --batch_size {SMALLEST_BATCH} --patch_size {' '.join(map(str, cut))}"
