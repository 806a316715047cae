"""Do the pretrained weights fit the network that the new plans describe?

Builds it once, as nnU-Net and the trainer do. Must not import the trainer. Writes nothing.
"""

__all__ = ["frozen_hash"]

from collections.abc import Mapping
from typing import Any

from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.errors import ArchitectureError, PlanningError
from nnunet_slpt.planners.tunings import tuning_of
from nnunet_slpt.pretrained import Pretrained, base_hash, load_backbone


def frozen_hash(
    plans: Mapping[str, Any], configuration: str, dataset_json: Mapping[str, Any], pretrained: Pretrained
) -> str:
    """``base_hash`` of the weights that a tuning with these plans freezes.

    Args:
        plans: with the block ``slpt``.
        configuration: one of theirs.
        dataset_json: of the dataset to tune for.
        pretrained: the weights.

    Raises:
        PlanningError: they do not fit.
    """
    manager = PlansManager(dict(plans))
    tuning = tuning_of(plans["configurations"][configuration])
    network = tuning.build(manager, configuration, dataset_json)
    try:
        load_backbone(network, pretrained, tuning.settings.from_plans(plans).stem)
    except ArchitectureError as error:
        raise PlanningError(
            f"{str(error).splitlines()[0]} The model's plans do not describe the network that its checkpoint "
            "holds, or its trainer changed the network. Take the plans.json that came with the checkpoint."
        ) from error
    return base_hash(network.frozen_state())
