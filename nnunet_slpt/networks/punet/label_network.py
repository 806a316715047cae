"""PUNet with the outputs that nnU-Net expects: one channel for each label or region, in their order.

Owns how the background comes in, what is tuned in each variant, and how predictions are made to disagree.
"""

__all__ = ["MEMBERS", "LabelPUNet"]

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from nnunet_slpt.networks.punet.adapters import Adapter
from nnunet_slpt.networks.punet.network import PUNet

MEMBERS = 4  # predictions that are compared, each without its part of the tokens


class LabelPUNet(PUNet):
    """A PUNet for the labels of a dataset.

    Where labels exclude each other there is a channel for the background, which needs no tokens: its logit is
    0. So a voxel is background if no class is likelier than not, and the softmax of one class alone is the
    sigmoid of its logit. Regions have no background.

    Args:
        classes: names, in the order of the outputs.
        exclusive: labels exclude each other; otherwise they are regions.
        jointly: all classes in one pass.
        **measures: as a ``PUNet`` takes them.

    Raises:
        ArchitectureError: the measures do not fit together.
        ConfigError: a class is named twice.
    """

    def __init__(
        self, classes: Sequence[str], exclusive: bool = True, jointly: bool = False, **measures: Any
    ) -> None:
        super().__init__(**measures)
        self.exclusive = exclusive
        self.jointly = jointly
        for name in classes:
            self.add_class(name)

    @property
    def groups(self) -> list[list[str]]:
        """Classes that share a pass: all of them, or each by itself."""
        return self.passes(self.class_names, self.jointly)

    # Windows are cut by lists that depend on the image: compiling takes minutes and breaks at each of them.
    # nnU-Net's predictor compiles what it is given where nnUNet_compile is set.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor, names: Sequence[str] | None = None, jointly: bool | None = None) -> Tensor:
        """Segment a batch.

        Args:
            x: images (B, C_in, *S).
            names: which classes, without a background; ``None`` gives what nnU-Net expects.
            jointly: in one pass; ``None``: as the network is set.

        Returns:
            Logits (B, classes, *S), in float32; with the background first, if there is one.
        """
        jointly = self.jointly if jointly is None else jointly
        if names is not None:
            return super().forward(x, names, jointly)
        return self._with_background(x, None if not self.class_names else super().forward(x, None, jointly))

    @property
    def members(self) -> int:
        """How many predictions ``predict_prompts`` gives."""
        return min(MEMBERS, self.tokens) if self.tokens > 1 and self.class_names else 0

    def predict_prompts(self, x: Tensor) -> Tensor:
        """Several predictions, each without another part of every class's tokens.

        A class is told by what its tokens have in common; where one part of them is missed, the network is
        unsure. Nothing more is trained for it (jackknife).

        Args:
            x: images (B, C_in, *S).

        Returns:
            Logits (members, B, classes, *S).
        """
        members = []
        for member in range(self.members):
            kept = [token for token in range(self.tokens) if token % self.members != member]
            members.append([self.prompt(name).keeping(kept) for name in self.class_names])
        each: Sequence[Tensor]
        if self.jointly and self.stages:
            each = [self.segment(x, prompts, jointly=True) for prompts in members]
        else:  # all at once, for a body without tokens sees the same whoever asks
            each = torch.split(self.segment(x, [*chain(*members)]), len(self.class_names), 1)
        return torch.stack([self._with_background(x, logits) for logits in each])

    def train_classes(self, names: Sequence[str], anew: bool) -> None:
        """Switch on the classes that a training is about to train, and off those that none has.

        Args:
            names: of those that it trains.
            anew: it is the first, so that all others are off; otherwise these stay as they are.
        """
        for name in self.class_names:
            if name in names:
                self.prompt(name).switch_on()
            elif anew:
                self.prompt(name).switch_off()

    def choose_tuned(self, variant: str) -> None:
        """Leave to the optimizer what a variant tunes: all tokens there are, and its part of the body.

        Args:
            variant: one of ``PUNET_VARIANTS``.
        """
        if variant == "adapter":
            device = next(self.body.parameters()).device
            self.adapters = nn.ModuleList(Adapter(c) for c in self.body.stage_channels).to(device)
        self.tune(self.class_names)
        for name, parameter in self.body.named_parameters():
            parameter.requires_grad_(_is_tuned(variant, self.body.is_decoder(name), parameter))

    def _with_background(self, x: Tensor, logits: Tensor | None) -> Tensor:
        nothing = torch.zeros(x.shape[0], int(self.exclusive), *x.shape[2:], device=x.device)
        return nothing if logits is None else torch.cat([nothing, logits], 1)


def _is_tuned(variant: str, of_decoder: bool, values: Tensor) -> bool:
    """Whether a parameter of the body is tuned."""
    return {"decoder": of_decoder, "bias_norm": values.ndim == 1, "full": True}.get(variant, False)
