"""nnU-Net's own U-Net, tuned in part or whole: what SLPT is compared with.

Owns which of its parameters are tuned, and how pretrained weights and heads get in.
"""

__all__ = ["StockHeads", "StockUNet", "choose_tuned", "rest_frozen"]

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nnunet_slpt.host_conventions import HEADS
from nnunet_slpt.networks.backbone import parameter_summary
from nnunet_slpt.networks.lora import is_lora, without_lora


def choose_tuned(network: nn.Module, is_tuned: Callable[[str, Tensor], bool]) -> None:
    """Freeze all parameters but the heads and those that are chosen.

    Args:
        network: a ``PlainConvUNet`` or ``ResidualEncoderUNet``.
        is_tuned: of a parameter's name (encoder first: "decoder." means the decoder alone) and values.
    """
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(HEADS) or is_tuned(name, parameter))


def rest_frozen(network: nn.Module) -> None:
    """After ``.train()``: evaluation mode for what is frozen throughout, so that no statistic drifts."""
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


class StockUNet:
    """One of nnU-Net's U-Nets as ``pretrained.load_backbone`` sees it.

    All but the heads, and what LoRA adds, comes from the pretrained network, whether it is frozen or not.

    Args:
        network: a ``PlainConvUNet`` or ``ResidualEncoderUNet``; not copied.
    """

    def __init__(self, network: Any) -> None:
        self.network = network

    @property
    def heads(self) -> "StockHeads":
        """The heads of all decoder stages."""
        return StockHeads(self.network.decoder.seg_layers)

    def frozen_state(self) -> dict[str, Tensor]:
        """Every tensor of the pretrained network once, under its first name; frozen or not."""
        return {without_lora(name): tensor for name, tensor in self._tensors() if _is_pretrained(name)}

    def tuned_state(self) -> dict[str, Tensor]:
        """Nothing stands beside encoder and decoder."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """All tensors under all their names."""
        return {without_lora(name): tensor for name, tensor in self.network.state_dict().items()}

    def parameter_summary(self) -> str:
        """Frozen and tuned parameters, and the tuned ones as a share of the pretrained ones."""
        sizes = ((name, parameter.numel()) for name, parameter in self.network.named_parameters())
        return parameter_summary(self.network, sum(size for name, size in sizes if _is_pretrained(name)))

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        yield from ((name, tensor.detach()) for name, tensor in self.network.named_parameters())
        yield from self.network.named_buffers()


def _is_pretrained(name: str) -> bool:
    return not name.startswith(HEADS) and not is_lora(name)


class StockHeads:
    """The heads of nnU-Net's decoder: one convolution for each stage, in running order.

    Args:
        layers: ``decoder.seg_layers``; not copied.
    """

    def __init__(self, layers: Any) -> None:
        self.layers = layers

    @property
    def classes(self) -> int:
        """Channels of the output."""
        return int(self.layers[0].out_channels)

    @torch.no_grad()
    def start_from(self, stage: int, weight: Tensor, bias: Tensor, rows: Mapping[int, int]) -> None:
        """Begin the head of one stage with rows of a pretrained head.

        Args:
            stage: decoder stage, in running order.
            weight: (classes of the pretrained network, C, 1, 1(, 1)).
            bias: (classes of the pretrained network,).
            rows: output channel here → output channel there.
        """
        for here, there in rows.items():
            self.layers[stage].weight[here] = weight[there].to(self.layers[stage].weight)
            self.layers[stage].bias[here] = bias[there].to(self.layers[stage].bias)
