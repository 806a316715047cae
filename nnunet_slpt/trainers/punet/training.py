"""What PUNet's two trainers share: the network, its classes by name, and how it is hooked into nnU-Net."""

__all__ = ["PUNetTrainer"]

from dataclasses import replace
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks.punet import PUNET, LabelPUNet
from nnunet_slpt.trainers.punet.classes import Classes
from nnunet_slpt.trainers.tuning import TuningTrainer


class PUNetTrainer(TuningTrainer):
    """Trains a PUNet, whose outputs are named by the classes of the dataset.

    There is no deep supervision: the head compares tokens with the finest features alone.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int | str,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008  # nnU-Net copies this very signature
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.enable_deep_supervision = False
        self.classes = Classes.of(dataset_json["labels"])

    @classmethod
    def configure(cls, plans: dict[str, Any], configuration: str, dataset_json: dict[str, Any]) -> Any:
        """As any training's, with the names of the classes, by which inference rebuilds the network."""
        config = super().configure(plans, configuration, dataset_json)
        return replace(config, classes=Classes.of(dataset_json["labels"]).names)

    @staticmethod
    def check_network(name: str) -> None:
        """Refuse what is no PUNet.

        Raises:
            ArchitectureError: it is none.
        """
        if name != PUNET:
            raise ArchitectureError(
                f"This trainer trains a PUNet, and the plans describe a {name.rsplit('.', 1)[-1]}. Make "
                "plans with nnunet_slpt_plan -d DATASET --punet to pretrain one, and with -m MODEL from what "
                "was pretrained to tune it."
            )

    @staticmethod
    def measures(configuration_manager: Any, input_channels: int) -> dict[str, Any]:
        """What a ``PUNet`` takes, from nnU-Net's plans."""
        return {
            **configuration_manager.network_arch_init_kwargs,
            "input_channels": input_channels,
            "patch_size": configuration_manager.patch_size,
        }

    @property
    def punet(self) -> LabelPUNet:
        """The network without the wrapper of DistributedDataParallel."""
        network: LabelPUNet = self.bare_network
        return network

    def _do_i_compile(self) -> bool:
        """Never: the network keeps torch.compile out, in prediction too."""
        return False

    def set_deep_supervision_enabled(self, enabled: bool) -> None:
        """There is none."""

    @staticmethod
    def get_training_transforms(*args: Any, **kwargs: Any) -> Any:
        """As nnU-Net, but labels stay a map: regions are cut out of it class by class."""
        return nnUNetTrainer.get_training_transforms(*args, **{**kwargs, "regions": None})
