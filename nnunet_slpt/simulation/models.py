"""The pretrained models that methods start from: one for nnU-Net's U-Nets, one for PUNets.

Owns which method starts from which model, and the names of the plans made from them. Must not import torch.
"""

__all__ = ["PLANS", "RECORDED_AS", "Models", "read_models"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nnunet_slpt.datasets import channel_count
from nnunet_slpt.errors import SimulationError
from nnunet_slpt.files import hash_of
from nnunet_slpt.pretrained import Model, check_unpacked, read_model
from nnunet_slpt.tuning_methods import PUNET, TUNING_METHODS, UNET

# By kind of network: the plans of a campaign, and the entry of the folder's record.
PLANS: Mapping[str, str] = MappingProxyType({UNET: "nnUNetSLPTPlans", PUNET: "nnUNetPUNetPlans"})
RECORDED_AS: Mapping[str, str] = MappingProxyType({UNET: "model", PUNET: "punet_model"})
WORDS = {UNET: "a U-Net (PlainConvUNet, ResidualEncoderUNet)", PUNET: "a PUNet"}


@dataclass(frozen=True)
class Models:
    """The models of a simulation.

    Args:
        by_network: kind of network → model.
        configuration: of all of them.
    """

    by_network: Mapping[str, Model]
    configuration: str

    def check_method(self, method: str) -> None:
        """Refuse a method that none of the models is for.

        Raises:
            SimulationError: there is none.
        """
        kind = TUNING_METHODS[method].network
        if kind not in self.by_network:
            given = " and ".join(WORDS[one] for one in self.by_network)
            raise SimulationError(
                f"The method {method} tunes {WORDS[kind]}, and -m gives {given}. Pass the folder of such a "
                "model as well, or leave the method out."
            )

    def check_channels(self, dataset_json: Mapping[str, Any]) -> None:
        """Refuse a dataset whose images have another number of channels than a model's.

        Args:
            dataset_json: of the raw dataset.

        Raises:
            SimulationError: they have.
        """
        here = channel_count(dataset_json)
        for model in self.by_network.values():
            known = channel_count(model.dataset_json)
            if known != here:
                raise SimulationError(
                    f"The model in {model.source} takes {known} image channel(s), the dataset has {here}. "
                    "Pass with -m a model that was trained on as many."
                )

    def record(self) -> dict[str, Any]:
        """Which they are, for ``simulation.json``."""
        return {
            entry: _record(self.by_network[kind]) if kind in self.by_network else None
            for kind, entry in RECORDED_AS.items()
        }


def read_models(folders: Sequence[Path], configuration: str | None) -> Models:
    """Read the models, at most one of each kind.

    Args:
        folders: of the models.
        configuration: of all of them; ``None`` takes what there is.

    Raises:
        SimulationError: two models of one kind, or of different configurations.
        CheckpointError: one is a file, or cannot be read.
    """
    found: dict[str, Model] = {}
    for folder in folders:
        check_unpacked(folder)
        model = read_model(folder, configuration)
        kind = _kind(model)
        if kind in found:
            raise SimulationError(
                f"-m has two models of {WORDS[kind]}: {found[kind].source} and {folder}. Pass one of them; "
                "compare pretrained networks by simulations of their own."
            )
        found[kind] = model
    configurations = sorted({model.configuration for model in found.values()})
    if len(configurations) > 1:
        raise SimulationError(
            f"The models of -m have the configurations {' and '.join(configurations)}, expected the same."
        )
    return Models(found, configurations[0])


def _kind(model: Model) -> str:
    settings = model.plans["configurations"][model.configuration]
    name = settings.get("architecture", {}).get("network_class_name", "")
    return PUNET if name.rsplit(".", 1)[-1] == "PUNet" else UNET


def _record(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "checkpoint": model.checkpoint,
        "sha256": hash_of(model.pretrained.path),
    }
