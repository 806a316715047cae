"""What SLPT is compared with: other ways to tune the same pretrained network, each a trainer of nnU-Net's.

Owns which weights each of them tunes, and its optimizer. Augmentation, loss, steps and prediction are stock.
"""

__all__ = [
    "BaselineTrainer",
    "nnUNetTrainerBiasNorm",
    "nnUNetTrainerDecoder",
    "nnUNetTrainerFullAdamW",
    "nnUNetTrainerFullSGD",
    "nnUNetTrainerHead",
    "nnUNetTrainerLoRA",
    "nnUNetTrainerScratch",
]

from typing import Any, ClassVar

from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import Tensor, nn

from nnunet_slpt.networks import check_architecture
from nnunet_slpt.networks.lora import add_lora, is_lora
from nnunet_slpt.networks.stock import StockUNet, choose_tuned, rest_frozen
from nnunet_slpt.trainers.start import FEW_WEIGHTS, MANY_WEIGHTS, Recipe
from nnunet_slpt.trainers.tuning import TuningTrainer

STOCK_SGD = Recipe("SGD", learning_rate=1e-2, weight_decay=3e-5)


class BaselineTrainer(TuningTrainer):
    """Tunes some weights of nnU-Net's own network, the heads always among them."""

    @classmethod
    def build_network_architecture(
        cls,
        plans_manager: PlansManager,
        configuration_manager: Any,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        """The stock network for these plans; nnU-Net's predictor calls this too."""
        check_architecture(configuration_manager.network_arch_class_name)
        network: nn.Module = nnUNetTrainer.build_network_architecture(
            plans_manager,
            configuration_manager,
            num_input_channels,
            num_output_channels,
            enable_deep_supervision,
        )
        cls.extend(network)
        choose_tuned(network, cls.is_tuned)
        return network

    @staticmethod
    def extend(network: Any) -> None:
        """Add weights of its own to the network; none."""

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """Whether a parameter outside the heads is tuned."""
        raise NotImplementedError

    def startable(self) -> StockUNet:
        """The network: all but the heads gets pretrained weights."""
        return StockUNet(self.bare_network)

    def on_train_epoch_start(self) -> None:
        """As nnU-Net, but what is frozen stays in evaluation mode."""
        super().on_train_epoch_start()
        rest_frozen(self.bare_network)


class nnUNetTrainerFullAdamW(BaselineTrainer):
    """Full fine-tuning with AdamW."""

    recipe = MANY_WEIGHTS
    opening = "Full fine-tuning of"

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """All."""
        return True


class nnUNetTrainerFullSGD(nnUNetTrainerFullAdamW):
    """Full fine-tuning with nnU-Net's own optimizer."""

    recipe = STOCK_SGD


class nnUNetTrainerScratch(nnUNetTrainerFullAdamW):
    """Training from random weights."""

    opening = "From scratch:"

    def initialize(self) -> None:
        """As nnU-Net; refuses ``-pretrained_weights`` and forgets what the plans recorded."""
        self.refuse_pretrained("To fine-tune them, take -tr nnUNetTrainerFullAdamW.")
        super().initialize()

    def _start(self) -> str:
        return f"{self.startable().parameter_summary()}."


class nnUNetTrainerHead(BaselineTrainer):
    """New heads on a frozen network."""

    recipe = FEW_WEIGHTS
    opening = "Heads on"

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """Nothing but the heads."""
        return False


class nnUNetTrainerDecoder(BaselineTrainer):
    """The decoder behind a frozen encoder."""

    recipe = MANY_WEIGHTS
    opening = "Decoder and heads of"

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """The decoder."""
        return name.startswith("decoder.")


class nnUNetTrainerBiasNorm(BaselineTrainer):
    """Biases, and scales and shifts of the normalisation.

    References:
        Zaken et al., "BitFit" (arXiv:2106.10199).
    """

    recipe = FEW_WEIGHTS
    opening = "Biases, normalisation and heads of"

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """What has one number for each channel."""
        return values.ndim == 1


class nnUNetTrainerLoRA(BaselineTrainer):
    """Low-rank additions to the weights of all convolutions."""

    recipe = FEW_WEIGHTS
    opening = "LoRA and heads inside"
    rank: ClassVar[int] = 8

    @classmethod
    def extend(cls, network: Any) -> None:
        """Add them everywhere but to the heads, which are tuned whole."""
        add_lora(network.encoder, cls.rank)
        add_lora(network.decoder.transpconvs, cls.rank)
        add_lora(network.decoder.stages, cls.rank)

    @staticmethod
    def is_tuned(name: str, values: Tensor) -> bool:
        """What was added."""
        return is_lora(name)
