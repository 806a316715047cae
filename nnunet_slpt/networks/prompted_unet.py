"""A frozen U-Net with prompts, updaters and heads: the network that SLPT tunes.

Owns the order in which frozen and tuned modules run, and which tensor is which.
"""

__all__ = ["PromptedUNet"]

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.networks.backbone import (
    check_architecture,
    describe_stages,
    freeze,
    input_channels,
    parameter_summary,
)
from nnunet_slpt.networks.combine import mean_prediction
from nnunet_slpt.networks.heads import PromptHeads
from nnunet_slpt.networks.input_prompt import InputPrompt
from nnunet_slpt.networks.prompts import DiversifiedPrompts, signature, signature_length
from nnunet_slpt.networks.scale_shift import ScaleShift
from nnunet_slpt.networks.updater import FeatureAwarePromptUpdater

FROZEN_PARTS = ("encoder", "decoder")
BLOCK = 8  # channels; CPUs and GPUs convolve in whole blocks of them


class PromptedUNet(nn.Module):
    """SLPT's network around the frozen modules of one of nnU-Net's U-Nets.

    ``encoder`` and ``decoder`` keep nnU-Net's names, so stock weights fit them. They never change: no
    gradients, and evaluation mode (normalisation statistics, dropout) also after ``.train()``.

    Args:
        backbone: a ``PlainConvUNet`` or ``ResidualEncoderUNet``; taken over, its own heads dropped.
        patch_size: the training patch, one entry an axis.
        classes: channels of the output.
        config: K, widths, parts to leave out, kind of labels.
        deep_supervision: return one output per decoder stage, finest first.

    Raises:
        ArchitectureError: the backbone is of another kind.

    References:
        SLPT (arXiv:2308.04911), figure 2: F_i, P_i = FPU_i(M_i(F_{i-1}), P_{i-1}).
    """

    def __init__(
        self,
        backbone: Any,
        patch_size: Sequence[int],
        classes: int,
        config: PromptConfig,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        check_architecture(type(backbone).__name__)
        stages = describe_stages(backbone)
        del backbone.decoder.seg_layers
        self.encoder: Any = backbone.encoder
        self.decoder: Any = backbone.decoder
        freeze(backbone)
        # nnU-Net switches deep supervision on and off here (nnUNetTrainer.set_deep_supervision_enabled).
        self.decoder.deep_supervision = deep_supervision
        self.region_based = config.region_based
        self.prompts = DiversifiedPrompts(patch_size, config.prompts)
        self.updaters = nn.ModuleList(
            FeatureAwarePromptUpdater(
                stage.channels,
                config.prompt_channels,
                incoming_channels=config.prompt_channels if i else int(config.prompt_map),
                cells=signature_length(len(patch_size)),
                width=max(config.width, stage.channels // 4 // BLOCK * BLOCK),
                kernel=stage.kernel,
                stride=stage.stride,
                last=i + 1 == len(stages),
                aspp=config.aspp,
                squeeze_excitation=config.squeeze_excitation,
                separable=config.separable,
            )
            for i, stage in enumerate(stages if config.updaters else [])
        )
        self.scale_shift = ScaleShift(self._all_but_the_first()) if config.scale_shift else None
        self.input_prompt = None if config.updaters else InputPrompt(input_channels(backbone))
        decoder_channels = [stage.channels for stage in stages[len(self.encoder.stages) :]]
        self.heads = PromptHeads(config.prompts, decoder_channels, classes, axes=len(patch_size))

    @property
    def members(self) -> int:
        """How many predictions ``predict_prompts`` gives: K."""
        return self.prompts.count

    def train(self, mode: bool = True) -> "PromptedUNet":
        """As usual, but the frozen parts stay in evaluation mode."""
        super().train(mode)
        freeze(self.encoder)
        freeze(self.decoder)
        return self

    def forward(
        self, x: Tensor, prompt: int | None = None, prompts: Tensor | None = None
    ) -> Tensor | list[Tensor]:
        """Segment a batch.

        Args:
            x: (B, C_in, *S); S is usually the training patch, on which the prompts are defined.
            prompt: predict with this prompt alone; ``None`` gives the mean of all K.
            prompts: what ``self.prompts()`` gave (K, 1, *patch), to reuse across calls.

        Returns:
            Logits (B, classes, *S); with deep supervision a list, finest first.
        """
        prompts = self.prompts() if prompts is None else prompts
        if prompt is None:
            of_all = self._run_all(x, prompts, self.decoder.deep_supervision)
            outputs = [mean_prediction(logits, self.region_based) for logits in of_all]
        else:
            outputs = self._run(x, prompts, prompt, self.decoder.deep_supervision)
        return outputs if self.decoder.deep_supervision else outputs[0]

    def predict_prompts(self, x: Tensor) -> Tensor:
        """The K predictions that ``forward`` averages: logits (K, B, classes, *S)."""
        return self._run_all(x, self.prompts(), all_levels=False)[0]

    def follow_normalisations(self) -> None:
        """Change the scales and shifts of those that are there now, after somebody has replaced some."""
        if self.scale_shift is not None:
            self.scale_shift.run_inside(self._all_but_the_first())

    def frozen_state(self) -> dict[str, Tensor]:
        """Every frozen tensor once, under its first name."""
        return {name: tensor for name, tensor in self._tensors() if name.split(".")[0] in FROZEN_PARTS}

    def tuned_state(self) -> dict[str, Tensor]:
        """Every tuned tensor once."""
        return {name: tensor for name, tensor in self._tensors() if name.split(".")[0] not in FROZEN_PARTS}

    def parameter_summary(self) -> str:
        """Frozen and tuned parameters and their ratio, in words."""
        frozen = sum(parameter.numel() for parameter in self.parameters() if not parameter.requires_grad)
        return parameter_summary(self, pretrained=frozen)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        # nnU-Net registers a tensor under up to four names; these iterators keep the first.
        yield from ((name, tensor.detach()) for name, tensor in self.named_parameters())
        yield from self.named_buffers()

    def _run_all(self, x: Tensor, prompts: Tensor, all_levels: bool) -> list[Tensor]:
        """Logits (K, B, classes, *S), finest first; one prompt after the other, so memory is that of one."""
        # What comes before the first updater is the same for all prompts.
        shared = self._first_module(x) if self.input_prompt is None else None
        each = [self._run(x, prompts, k, all_levels, shared) for k in range(self.prompts.count)]
        return [torch.stack(levels) for levels in zip(*each, strict=True)]

    def _run(
        self, x: Tensor, prompts: Tensor, k: int, all_levels: bool, first: Tensor | None = None
    ) -> list[Tensor]:
        """Logits (B, classes, *S) with prompt k, finest first; ``first`` are features of M_1, if known."""
        prompt = torch.stack([prompts[k]] * len(x))
        seen_from_afar = signature(prompt)
        features = self._first_features(x, prompt) if first is None else first
        depth = len(self.encoder.stages)
        skips: list[Tensor] = []
        outputs: list[Tensor] = []
        modules = 2 * depth - 1
        for i in range(modules):
            features = self._module(i, features, skips) if i > 0 else features
            if self.updaters:
                features, prompt = self.updaters[i](features, prompt, seen_from_afar)
            if i < depth:
                skips.append(features)
            elif all_levels or i + 1 == modules:
                outputs.append(self.heads(features, i - depth, k))
        return outputs[::-1]

    def _first_features(self, x: Tensor, prompt: Tensor) -> Tensor:
        """Of M_1, for images (B, …) and prompts (B, 1, *S): (B, C, *S)."""
        return self._first_module(x if self.input_prompt is None else self.input_prompt(x, prompt))

    def _first_module(self, x: Tensor) -> Tensor:
        """M_1: a residual encoder has a stem before its first stage."""
        stem = getattr(self.encoder, "stem", None)
        features: Tensor = self.encoder.stages[0](x if stem is None else stem(x))
        return features

    def _all_but_the_first(self) -> nn.ModuleList:
        """M_2 … M_N: behind nothing that is tuned, M_1 needs no backward pass."""
        return nn.ModuleList([*self.encoder.stages[1:], *self.decoder.stages])

    def _module(self, i: int, features: Tensor, skips: list[Tensor]) -> Tensor:
        """M_{i+1}, as nnU-Net runs it: an encoder stage, or a decoder stage with its skip connection."""
        depth = len(self.encoder.stages)
        if i < depth:
            below: Tensor = self.encoder.stages[i](features)
            return below
        upsampled = self.decoder.transpconvs[i - depth](features)
        above: Tensor = self.decoder.stages[i - depth](torch.cat((upsampled, skips[2 * depth - 2 - i]), 1))
        return above
