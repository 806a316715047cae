"""The feature-aware prompt updater (FPU): the one tuned module that sits behind each frozen module.

Owns SLPT's equations for F_i and P_i. Must know nothing of U-Nets.
"""

__all__ = ["FeatureAwarePromptUpdater"]

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnunet_slpt.networks.aspp import ASPP, SqueezeExcitation
from nnunet_slpt.networks.dimensions import average_pool, convolve, convolve_separably, modulate, resize

SOFTNESS = 0.1  # a channel's weight is near -1 or 1 unless the prompt looks away from it


class FeatureAwarePromptUpdater(nn.Module):
    """Lets the prompt modulate the features, and the features update the prompt.

    With P' the previous prompt on the updater's grid and s the first prompt's signature:

    - feature branch: A = W (SE(ASPP(Conv1×1([Fout, P']))) ⊙ σ(R s)), F = Fout ⊙ A + Fout;
    - prompt branch: P = P' + DepthSeparable([F, P']), normalised.

    Four choices of ours. W starts at zero, so an untrained updater passes features on bit for bit. Both
    branches work on the grid of the next coarser stage (``stride``): A is smooth, the details stay in Fout.
    The first convolution starts with equal weight on features and prompt: drawn as one convolution, 8 prompt
    channels beside 320 features would be lost in them. And R, a fixed random projection, with σ a soft sign,
    ties the channels that reach W to the prompt. With concatenation alone, training learns to ignore the
    prompt: all K share the updater and the target, so whatever tells them apart is noise to it. R cannot be
    trained away: each prompt has a function of its own in shared weights. docs/explanation/design.md tells
    what was tried.

    Args:
        channels: C, of the features.
        prompt_channels: C_p, of the prompt that leaves.
        incoming_channels: of the prompt that arrives.
        cells: length of the signature.
        width: channels inside the feature branch.
        kernel: the frozen stage's kernel, 1 on axes that it does not look along.
        stride: from the features' grid to the updater's.

    References:
        SLPT (arXiv:2308.04911), section 2.1 and figure 2(b). Members that share weights and differ by signs
        and scales of channels: BatchEnsemble (arXiv:2002.06715), equation 1.
    """

    projection: Tensor

    def __init__(
        self,
        channels: int,
        prompt_channels: int,
        incoming_channels: int,
        cells: int,
        width: int,
        kernel: Sequence[int],
        stride: Sequence[int],
    ) -> None:
        super().__init__()
        self.stride = tuple(stride)
        point = [1] * len(kernel)
        self.mix_features = nn.Parameter(torch.empty(width, channels, *point))
        self.mix_prompt = nn.Parameter(torch.empty(width, incoming_channels, *point))
        self.mix_norm = nn.GroupNorm(1, width)
        self.context = ASPP(width, kernel)
        self.attention = SqueezeExcitation(width)
        self.expand = nn.Parameter(torch.zeros(channels, width, *point))
        self.register_buffer("projection", torch.randn(width, cells) * cells**-0.5)
        self.pointwise = nn.Parameter(torch.empty(prompt_channels, channels + incoming_channels))
        self.depthwise = nn.Parameter(torch.empty(prompt_channels, *kernel))
        self.prompt_norm = nn.GroupNorm(1, prompt_channels)
        for weight in (self.mix_features, self.mix_prompt, self.pointwise):
            nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
        nn.init.normal_(self.depthwise, std=self.depthwise[0].numel() ** -0.5)

    def forward(self, features: Tensor, prompt: Tensor, signature: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the recursion F_i, P_i = FPU_i(Fout_i, P_{i-1}).

        Args:
            features: Fout (B, C, *S), of the frozen module before.
            prompt: P (B, C_in, *S'), of the updater before; any grid.
            signature: s (B, cells), of the first prompt.

        Returns:
            F (B, C, *S) and P (B, C_p, *S / stride).
        """
        coarse = average_pool(features, self.stride)
        # Under autocast some layers answer in float32; one precision throughout is several times faster.
        prompt = resize(prompt.to(coarse.dtype), coarse.shape[2:])
        mixed = convolve(coarse, self.mix_features) + convolve(prompt, self.mix_prompt)
        context = self.attention(self.context(self.mix_norm(mixed).to(mixed.dtype)))
        gain = convolve(context * self._channel_weights(signature, context), self.expand)
        features = modulate(features, gain)
        joint = torch.cat([modulate(coarse, gain), prompt], 1)
        update = convolve_separably(joint, self.depthwise, self.pointwise)
        return features, self.prompt_norm(prompt + update)

    def _channel_weights(self, signature: Tensor, context: Tensor) -> Tensor:
        seen = signature @ self.projection.T
        weights = seen * torch.rsqrt(seen.square() + SOFTNESS)
        return weights.view(*weights.shape, *[1] * (context.ndim - 2)).to(context.dtype)
