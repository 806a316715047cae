"""What a network can do for the selection: show its encoder's features, and give predictions that disagree.

Owns which networks can. Must not import nnU-Net.
"""

__all__ = ["PromptsAsChannels", "encoder_of", "members_of", "without_scale_shift"]

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from nnunet_slpt.networks.punet import PUNet

Encoder = Callable[[Tensor], Sequence[Tensor]]


def encoder_of(network: nn.Module) -> Encoder | None:
    """What gives the features of each encoder stage, finest first; ``None`` if the network has no stages.

    Args:
        network: one of nnU-Net's U-Nets, with or without prompts, or a PUNet.
    """
    if isinstance(network, PUNet):
        return network.encoder_features
    encoder: Any = getattr(network, "encoder", None)
    return encoder if hasattr(encoder, "output_channels") else None


def without_scale_shift(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with which the encoder of a ``PromptedUNet`` is the pretrained one again.

    What was tuned inside its frozen normalisations was tuned together with the updaters, which are not run
    for features.

    Args:
        weights: a network's ``state_dict``; those of others stay as they are.
    """
    inside = "scale_shift."
    return {name: tensor * 0 if name.startswith(inside) else tensor for name, tensor in weights.items()}


def members_of(network: nn.Module) -> int:
    """How many predictions can be compared: one a prompt, or one a subset of a PUNet's tokens; 0 if none."""
    return int(getattr(network, "members", 0))


class PromptsAsChannels(nn.Module):
    """The K predictions of a network side by side, as one prediction of K · C channels."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, *S) to (B, K · C, *S)."""
        logits: Tensor = self.network.predict_prompts(x)
        return logits.transpose(0, 1).flatten(1, 2)
