"""The body: a U-Net with attention at every stage, without a class of its own.

Owns the order in which convolutions and attention run; it is handed the classes' tokens at every call.
"""

__all__ = ["Body", "windows_of"]

from collections.abc import Sequence

from torch import Tensor, nn

from nnunet_slpt.networks.punet.attention import PromptableAttention
from nnunet_slpt.networks.punet.convolutions import Upsampling, bottleneck, stem
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.networks.punet.tokens import ClassPrompt, Site, tokens_at
from nnunet_slpt.networks.punet.windows import fit_window

# At most, along each axis: 64 voxels a window in 2D as in 3D.
WINDOW = {2: 8, 3: 4}


def windows_of(plan: BodyPlan) -> list[tuple[int, ...]]:
    """Voxels of a window along each axis at each encoder stage. Biases depend on them.

    Args:
        plan: the body's measures; windows are fitted to its patch.
    """
    return [fit_window(grid, WINDOW[len(grid)]) for grid in plan.grids]


class Body(nn.Module):
    """Stem, encoder stages, decoder stages with skips; in each a convolution block and two attentions.

    Args:
        plan: channels, kernels and strides, as nnU-Net plans them.

    References:
        PUNet (arXiv:2211.09233), figure 1; Swin Transformer (arXiv:2103.14030): a window, then a shifted one.
    """

    def __init__(self, plan: BodyPlan) -> None:
        super().__init__()
        self.plan = plan
        features, kernels, strides = plan.features_per_stage, plan.kernel_sizes, plan.strides
        down, up = range(len(features)), range(len(features) - 2, -1, -1)
        still, windows = [1] * len(plan.patch_size), windows_of(plan)
        self.stem = stem(plan.input_channels, features[0], kernels[0])
        self.convolutions = nn.ModuleList(
            [bottleneck(features[max(s - 1, 0)], features[s], kernels[s], strides[s]) for s in down]
            + [bottleneck(2 * features[s], features[s], kernels[s], still) for s in up]
        )
        self.upsamplings = nn.ModuleList(Upsampling(features[s + 1], features[s], strides[s + 1]) for s in up)
        self.attentions = nn.ModuleList(
            PromptableAttention(features[s], windows[s], shifted)
            for s in (*down, *up)
            for shifted in (False, True)
        )

    def sites(self, stages: Sequence[int]) -> dict[int, Site]:
        """The attentions of some stages, by number.

        Args:
            stages: in running order: encoder stages, then decoder stages.
        """
        numbers = [2 * stage + second for stage in stages for second in (0, 1)]
        modules = [(number, self.attentions[number]) for number in numbers]
        return {
            number: Site(module.channels, module.heads)
            for number, module in modules
            if isinstance(module, PromptableAttention)
        }

    @property
    def stage_channels(self) -> list[int]:
        """Channels of each stage, in running order."""
        features = self.plan.features_per_stage
        return [*features, *reversed(features[:-1])]

    def is_decoder(self, name: str) -> bool:
        """Whether a parameter of this body belongs to its decoder."""
        part, number = name.split(".")[:2]
        depth = len(self.plan.strides)
        first = {"upsamplings": 0, "convolutions": depth, "attentions": 2 * depth}
        return part in first and int(number) >= first[part]

    def forward(
        self, x: Tensor, prompts: Sequence[ClassPrompt] = (), adapters: nn.ModuleList | None = None
    ) -> Tensor:
        """Features of every voxel.

        Args:
            x: images (B, C_in, *S); S is usually the training patch.
            prompts: classes whose tokens take part, all of them together; none is fine.
            adapters: one behind each stage, in running order.

        Returns:
            (B, C, *S).

        Raises:
            ArchitectureError: the strides do not divide S.
        """
        skips = self.encode(x, prompts, adapters)
        depth, x = len(skips), skips.pop()
        for number, upsampling in enumerate(self.upsamplings):
            x = self._stage(depth + number, upsampling(x, skips.pop()), prompts, adapters)
        return x

    def encode(
        self, x: Tensor, prompts: Sequence[ClassPrompt] = (), adapters: nn.ModuleList | None = None
    ) -> list[Tensor]:
        """Features of each encoder stage, finest first; arguments and refusals are those of ``forward``.

        Returns:
            (B, C_s, *S_s) for each stage.
        """
        self.plan.check_image(x.shape[2:])
        x = self.stem(x)
        features: list[Tensor] = []
        for stage in range(len(self.plan.strides)):
            x = self._stage(stage, x, prompts, adapters)
            features.append(x)
        return features

    def _stage(
        self, stage: int, x: Tensor, prompts: Sequence[ClassPrompt], adapters: nn.ModuleList | None
    ) -> Tensor:
        """One stage, by its number in running order."""
        x = self.convolutions[stage](x)
        for number in (2 * stage, 2 * stage + 1):
            x = self.attentions[number](x, tokens_at(number, prompts))
        return x if adapters is None else adapters[stage](x)
