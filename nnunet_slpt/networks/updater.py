"""The feature-aware prompt updater (FPU): the one tuned module that sits behind each frozen module.

Owns SLPT's equations for F_i and P_i. Must know nothing of U-Nets.
"""

__all__ = ["FeatureAwarePromptUpdater"]

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnunet_slpt.networks.aspp import ASPP, SqueezeExcitation
from nnunet_slpt.networks.dimensions import average_pool, convolve, modulate, resize, separable_kernel

SOFTNESS = 0.1  # a channel's weight is near -1 or 1 unless the prompt looks away from it


class FeatureAwarePromptUpdater(nn.Module):
    """Lets the prompt modulate the features, and the features update the prompt.

    With P' the previous prompt on the updater's grid:

    - feature branch: F = Fout ⊙ A + Fout + B, with A and B of Fout and P';
    - prompt branch: P of F and P'.

    Two choices of ours. Both work on a coarser grid (``stride``): A and B are smooth, the details stay in
    Fout. And B is not in the paper: where the frozen features are all near zero, no factor makes a new
    structure of them.

    Args:
        channels: C, of the features.
        prompt_channels: C_p, of the prompt that leaves.
        incoming_channels: of the prompt that arrives: C_p, or 1 for all of them alike; 0 leaves it unseen.
        cells: length of a prompt's signature.
        width: channels inside the feature branch.
        kernel: the frozen stage's kernel, 1 on axes that it does not look along.
        stride: from the features' grid to the updater's.
        last: no updater follows, so there is no prompt branch.
        aspp: multi-scale context in the feature branch; a bare SiLU otherwise.
        squeeze_excitation: channel attention in the feature branch.
        separable: depth-separable convolutions in both branches; plain ones otherwise.

    References:
        SLPT (arXiv:2308.04911), section 2.1 and figure 2(b).
    """

    def __init__(
        self,
        channels: int,
        prompt_channels: int,
        incoming_channels: int,
        cells: int,
        width: int,
        kernel: Sequence[int],
        stride: Sequence[int],
        last: bool = False,
        *,
        aspp: bool = True,
        squeeze_excitation: bool = True,
        separable: bool = True,
    ) -> None:
        super().__init__()
        self.stride = tuple(stride)
        context = ASPP(width, kernel, separable=separable) if aspp else nn.SiLU()
        attention = SqueezeExcitation(width) if squeeze_excitation else nn.Identity()
        self.feature_branch = _FeatureBranch(
            channels, incoming_channels, cells, width, len(kernel), context, attention
        )
        # Behind the last updater nothing reads the prompt.
        self.prompt_branch = (
            None if last else _PromptBranch(channels, incoming_channels, prompt_channels, kernel, separable)
        )

    def forward(self, features: Tensor, prompt: Tensor, signature: Tensor) -> tuple[Tensor, Tensor]:
        """One step of the recursion F_i, P_i = FPU_i(Fout_i, P_{i-1}).

        Args:
            features: Fout (B, C, *S), of the frozen module before.
            prompt: P (B, C_in, *S'), of the updater before; any grid.
            signature: s (B, cells), of the first prompt.

        Returns:
            F (B, C, *S), and P (B, C_p, *S / stride); behind the last updater P is what came in.
        """
        coarse = average_pool(features, self.stride)
        # Under autocast some layers answer in float32; one precision throughout is several times faster.
        prompt = resize(prompt.to(coarse.dtype), coarse.shape[2:])
        change = self.feature_branch(coarse, prompt, signature)
        if self.prompt_branch is not None:
            prompt = self.prompt_branch(modulate(coarse, change), prompt)
        return modulate(features, change), prompt


class _FeatureBranch(nn.Module):
    """[A, B] = W (SE(ASPP(Conv1×1([Fout, P']))) ⊙ σ(R s)), with s the first prompt's signature.

    Three choices of ours. W starts at zero, so an untrained updater passes features on bit for bit. The first
    convolution starts with equal weight on features and prompt: drawn as one, 8 prompt channels beside 320
    features would be lost in them. And R, a fixed random projection, with σ a soft sign, ties the channels
    that reach W to the prompt. With concatenation alone, training learns to ignore the prompt: all K share
    the updater and the target, so whatever tells them apart is noise to it. R cannot be trained away: each
    prompt has a function of its own in shared weights. docs/explanation/design.md tells what was tried.

    References:
        A gain and a shift from a condition: FiLM (arXiv:1709.07871), equation 2. Members that share weights
        and differ by signs and scales of channels: BatchEnsemble (arXiv:2002.06715), equation 1.
    """

    projection: Tensor

    def __init__(
        self,
        channels: int,
        incoming_channels: int,
        cells: int,
        width: int,
        axes: int,
        context: nn.Module,
        attention: nn.Module,
    ) -> None:
        super().__init__()
        point = [1] * axes
        self.mix_features = _mix(width, channels, point)
        self.mix_prompt = _mix(width, incoming_channels, point) if incoming_channels else None
        self.mix_norm = nn.GroupNorm(1, width)
        self.context = context
        self.attention = attention
        self.expand = nn.Parameter(torch.zeros(2 * channels, width, *point))
        self.register_buffer("projection", torch.randn(width, cells) * cells**-0.5)

    def forward(self, features: Tensor, prompt: Tensor, signature: Tensor) -> Tensor:
        """Features (B, C, *S), prompt (B, C_in, *S), signature (B, cells) to A and B (B, 2C, *S)."""
        mixed = convolve(features, self.mix_features)
        if self.mix_prompt is not None:
            mixed = mixed + convolve(prompt, self.mix_prompt)
        context = self.attention(self.context(self.mix_norm(mixed).to(mixed.dtype)))
        return convolve(context * self._channel_weights(signature, context), self.expand)

    def _channel_weights(self, signature: Tensor, context: Tensor) -> Tensor:
        seen = signature @ self.projection.T
        weights = seen * torch.rsqrt(seen.square() + SOFTNESS)
        return weights.view(*weights.shape, *[1] * (context.ndim - 2)).to(context.dtype)


def _mix(width: int, channels: int, point: Sequence[int]) -> nn.Parameter:
    return nn.Parameter(torch.randn(width, channels, *point) * channels**-0.5)


class _PromptBranch(nn.Module):
    """P = norm(P' + Convolve([F, P'])), depth-separably.

    Adding to the prompt is our choice: what it says early still reaches the last stage.
    """

    def __init__(
        self,
        channels: int,
        incoming_channels: int,
        prompt_channels: int,
        kernel: Sequence[int],
        separable: bool,
    ) -> None:
        super().__init__()
        self.sees_prompt = incoming_channels > 0
        self.separable = separable
        both = channels + incoming_channels
        if separable:
            self.pointwise = nn.Parameter(torch.empty(prompt_channels, both))
            self.depthwise = nn.Parameter(torch.empty(prompt_channels, *kernel))
        else:
            self.plain = nn.Parameter(torch.empty(prompt_channels, both, *kernel))
        for weight in self.parameters():
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
        self.norm = nn.GroupNorm(1, prompt_channels)

    def forward(self, features: Tensor, prompt: Tensor) -> Tensor:
        """Features F (B, C, *S) and prompt P' (B, C_in, *S) to P (B, C_p, *S)."""
        kernel = separable_kernel(self.depthwise, self.pointwise) if self.separable else self.plain
        update = convolve(torch.cat([features, prompt], 1) if self.sees_prompt else features, kernel)
        result: Tensor = self.norm(prompt + update if self.sees_prompt else update)
        return result
