"""How a pretrained network is tuned, by its kind: a U-Net with prompts, a PUNet with tokens.

The one place of the planners that knows the two apart. Must not import the trainers, which it names.
"""

__all__ = ["Tuning", "check_windows", "tuning_of", "windows_by"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.config import PromptConfig, PUNetConfig, TrainingConfig
from nnunet_slpt.datasets import channel_count
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.label_outputs import class_names
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.networks.punet import PUNET, LabelPUNet
from nnunet_slpt.networks.punet.body import windows_of
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.pretrained import FrozenNetwork

# Plans with the block "slpt", the name of a configuration, dataset.json → what the trainer will build.
Builder = Callable[[PlansManager, str, Mapping[str, Any]], FrozenNetwork]


@dataclass(frozen=True)
class Tuning:
    """A way to tune.

    Args:
        trainer: as ``-tr`` takes it.
        settings: what the block ``slpt`` may hold.
        build: makes the network.
        by_tokens: tokens of each class by itself are tuned; otherwise K prompts and the heads of all.
    """

    trainer: str
    settings: type[TrainingConfig]
    build: Builder
    by_tokens: bool


def tuning_of(settings: Mapping[str, Any]) -> Tuning:
    """How the network of a configuration is tuned.

    Args:
        settings: the configuration.
    """
    return OF_PUNET if settings["architecture"]["network_class_name"] == PUNET else OF_UNET


def windows_by(settings: Mapping[str, Any], patch: Sequence[int]) -> list[tuple[int, ...]]:
    """The windows into which a PUNet would cut this patch, in voxels, one a stage.

    Args:
        settings: the model's configuration, of a PUNet.
        patch: in voxels.
    """
    return windows_of(BodyPlan.from_settings({**settings, "patch_size": patch}, input_channels=1))


def check_windows(settings: Mapping[str, Any], patch: Sequence[int]) -> None:
    """Refuse a patch that makes other windows than the model's: its biases are those of one size.

    Args:
        settings: the model's configuration, of a PUNet.
        patch: the new patch, in voxels.

    Raises:
        PlanningError: it does.
    """
    own, new = windows_by(settings, settings["patch_size"]), windows_by(settings, patch)
    if own != new:
        raise PlanningError(
            f"--patch_size {' '.join(map(str, patch))} is cut into windows of {new} voxels, one a stage; "
            f"expected {own}, as of the model's {' '.join(map(str, settings['patch_size']))}: it knows these "
            "alone. Leave it out, or change it by larger steps."
        )


def _prompted_unet(
    manager: PlansManager, configuration: str, dataset_json: Mapping[str, Any]
) -> FrozenNetwork:
    settings = manager.get_configuration(configuration)
    classes = manager.get_label_manager(dict(dataset_json)).num_segmentation_heads
    backbone = get_network_from_plans(
        settings.network_arch_class_name,
        settings.network_arch_init_kwargs,
        settings.network_arch_init_kwargs_req_import,
        channel_count(dataset_json),
        classes,
        allow_init=False,
        deep_supervision=True,
    )
    config = PromptConfig.from_plans(manager.plans)
    return PromptedUNet(backbone, settings.patch_size, classes, config, deep_supervision=True)


def _punet(manager: PlansManager, configuration: str, dataset_json: Mapping[str, Any]) -> FrozenNetwork:
    settings = manager.get_configuration(configuration)
    return LabelPUNet(
        class_names(dataset_json["labels"]),
        input_channels=channel_count(dataset_json),
        patch_size=settings.patch_size,
        **settings.network_arch_init_kwargs,
    )


OF_UNET = Tuning("nnUNetTrainerSLPT", PromptConfig, _prompted_unet, by_tokens=False)
OF_PUNET = Tuning("nnUNetTrainerPUNet", PUNetConfig, _punet, by_tokens=True)
