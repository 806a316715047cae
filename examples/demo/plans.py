"""Changes to nnU-Net's plans that the demo makes: a network for a CPU, and the settings of prompt tuning.

Pure functions from plans to plans, and one that applies them to files. Must not import torch or nnU-Net.
"""

__all__ = ["CONFIGURATION", "rewrite", "shrunk", "with_prompts"]

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Plans = dict[str, Any]

CONFIGURATION = "3d_fullres"
FEATURES = (8, 16, 32, 64)
PATCH_SIZE = (12, 48, 48)
BATCH_SIZE = 2


def shrunk(plans: Plans, name: str) -> Plans:
    """Make the network that nnU-Net planned small enough for two CPU cores.

    The first four stages are kept as planned, with fewer features; patch and batch get smaller. Spacing,
    normalisation and resampling stay.

    Args:
        plans: what ``nnUNetv2_plan_experiment`` wrote.
        name: name of the new plans.
    """
    stages = len(FEATURES)
    configuration = copy.deepcopy(plans["configurations"][CONFIGURATION])
    network = configuration["architecture"]["arch_kwargs"]
    network |= {"n_stages": stages, "features_per_stage": list(FEATURES)}
    for key in ("kernel_sizes", "strides", "n_conv_per_stage"):
        network[key] = network[key][:stages]
    network["n_conv_per_stage_decoder"] = network["n_conv_per_stage_decoder"][: stages - 1]
    configuration["patch_size"], configuration["batch_size"] = list(PATCH_SIZE), BATCH_SIZE
    configuration["data_identifier"] = f"{name}_{CONFIGURATION}"
    return {**plans, "plans_name": name, "configurations": {CONFIGURATION: configuration}}


def with_prompts(plans: Plans, block: dict[str, Any]) -> Plans:
    """Change settings in the block that ``nnUNetTrainerSLPT`` reads."""
    return {**plans, "slpt": {**plans["slpt"], **block}}


def rewrite(source: Path, target: Path, change: Callable[[Plans], Plans]) -> None:
    """Read plans, change them and write them elsewhere or over the old ones."""
    changed = change(json.loads(source.read_text()))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(changed, indent=2) + "\n")
