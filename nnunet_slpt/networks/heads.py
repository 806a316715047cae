"""The K segmentation heads at every decoder stage.

Owns how a prompt's features become logits. Must know nothing of U-Nets.
"""

__all__ = ["PromptHeads"]

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nnunet_slpt.networks.dimensions import convolve


class PromptHeads(nn.Module):
    """1×1(×1) convolutions, one per prompt and decoder stage.

    The heads of a stage are one tensor with the prompt as first axis, so that a compiled network can take
    the prompt's number as an input.

    Args:
        prompts: K.
        channels: features of each decoder stage, in the order in which the stages run.
        classes: channels of the output.
        axes: 2 or 3.
    """

    def __init__(self, prompts: int, channels: Sequence[int], classes: int, axes: int) -> None:
        super().__init__()
        self.classes = classes
        point = [1] * axes
        self.weights = nn.ParameterList([torch.empty(prompts, classes, width, *point) for width in channels])
        self.biases = nn.ParameterList([torch.zeros(prompts, classes) for _ in channels])
        for weights in self.weights:
            for weight in weights:
                nn.init.kaiming_normal_(weight, a=1e-2)  # as nnU-Net's InitWeights_He

    @torch.no_grad()
    def start_from(self, stage: int, weight: Tensor, bias: Tensor, rows: Mapping[int, int]) -> None:
        """Begin the K heads of one stage with rows of a pretrained head.

        Args:
            stage: decoder stage, in running order.
            weight: (classes of the pretrained network, C, 1, 1(, 1)).
            bias: (classes of the pretrained network,).
            rows: output channel here → output channel there.
        """
        for here, there in rows.items():
            self.weights[stage][:, here] = weight[there].to(self.weights[stage])
            self.biases[stage][:, here] = bias[there].to(self.biases[stage])

    def forward(self, features: Tensor, stage: int, k: int) -> Tensor:
        """Features (B, C, *S) of prompt k to logits (B, classes, *S)."""
        return convolve(features, self.weights[stage][k], self.biases[stage][k])
