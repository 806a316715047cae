"""Plans of any nnU-Net from 2.0 on, as nnU-Net 2.8 writes them.

Up to 2.2 the network stood in the configuration itself (``UNet_class_name``, ``conv_kernel_sizes`` …); 2.3
noted ``deep_supervision`` beside it. nnU-Net's own ``PlansManager`` reads both. Must not import the networks.
"""

__all__ = ["are_old", "in_todays_format"]

import copy
import json
import pydoc
import warnings
from collections.abc import Mapping
from typing import Any

from dynamic_network_architectures.architectures import unet
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.errors import ArchitectureError, PlanningError, one_of
from nnunet_slpt.host_conventions import INTENSITIES

NEEDED = (
    "architecture",
    "batch_dice",
    "batch_size",
    "normalization_schemes",
    "patch_size",
    "preprocessor_name",
    "resampling_fn_data",
    "resampling_fn_probabilities",
    "resampling_fn_seg",
    "spacing",
    "use_mask_for_norm",
)
NEEDED_ABOVE = ("image_reader_writer", "transpose_backward", "transpose_forward")
WHICH_PLANS = "Take the plans.json that came with the model."


def are_old(plans: Mapping[str, Any]) -> bool:
    """Whether a network stands in the configuration itself, as up to nnU-Net 2.2.

    Args:
        plans: any.
    """
    return any("UNet_class_name" in settings for settings in plans.get("configurations", {}).values())


def in_todays_format(plans: Mapping[str, Any], configuration: str) -> dict[str, Any]:
    """Plans with this configuration alone, complete in itself.

    Args:
        plans: as a nnU-Net from 2.0 on wrote them; they stay as they are.
        configuration: one of theirs.

    Raises:
        PlanningError: there is no such configuration, or something is missing.
        ArchitectureError: the network is one that nnU-Net cannot read from old plans.
    """
    known = plans.get("configurations", {})
    if configuration not in known:
        raise PlanningError(
            f"The model's plans: {one_of('configuration', configuration, known)}. The checkpoint was trained "
            f"with the first. {WHICH_PLANS}"
        )
    manager = PlansManager(copy.deepcopy(dict(plans)))
    settings = _complete(manager, configuration)
    missing = [key for key in NEEDED if key not in settings] + [
        key for key in NEEDED_ABOVE if key not in plans
    ]
    if missing:
        raise PlanningError(
            f"The model's plans lack {', '.join(missing)} (configuration {configuration}), expected plans of "
            f"nnU-Net 2.0 or newer. {WHICH_PLANS}"
        )
    for key in ("inherits_from", "next_stage"):  # all is here now, and no other stage is carried over
        settings.pop(key, None)
    settings["architecture"]["arch_kwargs"].pop("deep_supervision", None)
    return {
        "dataset_name": plans.get("dataset_name", ""),
        "plans_name": plans.get("plans_name", ""),
        **{key: plans[key] for key in NEEDED_ABOVE},
        "configurations": {configuration: settings},
        "label_manager": plans.get("label_manager", "LabelManager"),
        INTENSITIES: _intensities(manager),
    }


def _complete(manager: PlansManager, configuration: str) -> dict[str, Any]:
    """The configuration with all that it inherits and with an ``architecture``, in JSON's types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Detected old nnU-Net plans format": the report tells it
        try:
            settings = manager.get_configuration(configuration).configuration
        except KeyError as error:
            raise PlanningError(
                f"The model's plans describe no network: neither 'architecture' nor {error} is in the "
                f"configuration {configuration}. {WHICH_PLANS}"
            ) from error
        except (RuntimeError, ValueError) as error:
            raise ArchitectureError(f"nnU-Net cannot read the model's plans: {error}") from error
    complete: dict[str, Any] = json.loads(json.dumps(settings))
    network = complete.get("architecture", {})
    if network:
        network["network_class_name"] = _where_it_is_now(network["network_class_name"])
    return complete


def _where_it_is_now(class_name: str) -> str:
    """Plans, and nnU-Net's own conversion, name ResidualEncoderUNet by a module that is gone."""
    name = class_name.rsplit(".", 1)[-1]
    return (
        f"{unet.__name__}.{name}" if pydoc.locate(class_name) is None and hasattr(unet, name) else class_name
    )


def _intensities(manager: PlansManager) -> dict[str, Any]:
    try:
        return dict(manager.foreground_intensity_properties_per_channel)
    except KeyError:
        return {}  # needed by CTNormalization alone, which the transfer checks
