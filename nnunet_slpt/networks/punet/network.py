"""PUNet: the body, the prompts of its classes by name, and the head.

Owns which class is which, what is tuned, and how several classes are asked for.
"""

__all__ = ["PUNet", "trained_classes"]

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from nnunet_slpt.errors import ConfigError, one_of
from nnunet_slpt.networks.backbone import freeze, parameter_summary
from nnunet_slpt.networks.punet.body import Body
from nnunet_slpt.networks.punet.head import class_logits
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.networks.punet.tokens import TOKENS, ClassPrompt, prompted_stages

Class = TypeVar("Class")  # its name, or its prompt
# In front of a class's name, for torch's containers have attributes that a class may be called.
CLASS = "class:"


class PUNet(nn.Module):
    """A network that segments the classes whose tokens it is given.

    Nothing is frozen at first: a new network is pretrained, and ``tune`` then leaves some classes' prompts to
    the optimizer, and nothing else.

    A network has no class until ``add_class``. *One at a time*, each class is found by a pass of its own, in
    which its tokens alone take part: its logits do not depend on which other classes there are. *Jointly*,
    there is one pass with all tokens: faster, and in training it keeps the tokens' scores of all at once, but
    they compete for the voxels' attention, so that a class added or left out changes the logits of all.

    Args:
        input_channels: of the images.
        patch_size: the training patch; windows are fitted to it. One entry an axis, 2 or 3.
        features_per_stage: channels of each encoder stage.
        kernel_sizes: of each encoder stage, one entry an axis.
        strides: into each encoder stage, one entry an axis.
        prompted: which stages take tokens, one of ``PROMPTED_RANGES``; the head always does.
        tokens: of a class, at each attention and at the head.

    Raises:
        ArchitectureError: the measures do not fit together.
        ConfigError: another range, or no tokens.

    References:
        PUNet (arXiv:2211.09233).
    """

    def __init__(
        self,
        input_channels: int,
        patch_size: Sequence[int],
        features_per_stage: Sequence[int],
        kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        prompted: str = "full",
        tokens: int = TOKENS,
    ) -> None:
        super().__init__()
        if tokens < 1:
            raise ConfigError(f"{tokens} tokens a class: expected 1 or more, 16 as published.")
        stages = prompted_stages(prompted, len(features_per_stage))
        plan = BodyPlan(input_channels, patch_size, features_per_stage, kernel_sizes, strides)
        self.body = Body(plan)
        self.classes = nn.ModuleDict()
        self.adapters: nn.ModuleList | None = None
        self.tokens = tokens
        self.stages = tuple(stages)

    @property
    def class_names(self) -> list[str]:
        """The classes that have a prompt, in the order in which they were added."""
        return [_name(key) for key in self.classes]

    def add_class(self, name: str) -> None:
        """Give a class tokens, drawn at random and free to be tuned.

        Raises:
            ConfigError: it has some.
        """
        if name in self.class_names:
            raise ConfigError(f"The class {name!r} has tokens already. Remove it first, or tune it as it is.")
        self.classes[_key(name)] = self.new_prompt()

    def new_prompt(self) -> ClassPrompt:
        """Tokens for a class, drawn at random; no part of the network yet."""
        prompt = ClassPrompt(self.body.sites(self.stages), self.body.plan.features_per_stage[0], self.tokens)
        return prompt.to(next(self.body.parameters())).train(self.training)

    def remove_class(self, name: str) -> None:
        """Forget the tokens of a class.

        Raises:
            ConfigError: there are none.
        """
        self.prompt(name)
        del self.classes[_key(name)]

    def prompt(self, name: str) -> ClassPrompt:
        """What is tuned for a class.

        Raises:
            ConfigError: no such class.
        """
        prompt = self.classes[_key(name)] if name in self.class_names else None
        if not isinstance(prompt, ClassPrompt):
            known = one_of("class", name, self.class_names or ["(none)"])
            raise ConfigError(f"No tokens: {known}. Add the class, or load its tokens.")
        return prompt

    def start_class(self, name: str, weights: Mapping[str, Tensor]) -> bool:
        """Begin with what another PUNet had tuned for a class of this name, as far as it takes part here.

        Args:
            name: of a class of this network.
            weights: all tensors of the other network.

        Returns:
            Whether it had trained tokens of this shape for it.
        """
        if name not in trained_classes(weights):
            return False
        mine = f"classes.{_key(name)}."
        theirs = {key.removeprefix(mine): value for key, value in weights.items() if key.startswith(mine)}
        here = self.prompt(name).state_dict()
        fits = all(key in theirs and theirs[key].shape == value.shape for key, value in here.items())
        if fits:
            self.prompt(name).load_state_dict({key: theirs[key] for key in here})
        return fits

    def tune(self, names: Iterable[str]) -> None:
        """Leave the prompts of these classes to the optimizer, and nothing else.

        The body stays in evaluation mode from here on, also after ``.train()``.

        Raises:
            ConfigError: no such class; nothing is changed then.
        """
        prompts = [self.prompt(name) for name in names]
        freeze(self.body)
        self.classes.requires_grad_(False)
        for prompt in prompts:
            prompt.requires_grad_(True)

    def train(self, mode: bool = True) -> "PUNet":
        """As usual, but a frozen body stays in evaluation mode."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.body.parameters()):
            self.body.eval()
        return self

    def forward(self, x: Tensor, names: Sequence[str] | None = None, jointly: bool = False) -> Tensor:
        """Segment a batch.

        Args:
            x: images (B, C_in, *S).
            names: which classes, in which order; ``None`` is all of them.
            jointly: in one pass with the tokens of all, or in one pass for each class.

        Returns:
            Logits (B, classes, *S), in float32.

        Raises:
            ConfigError: no such class, or no class at all.
            ArchitectureError: the strides do not divide S.
        """
        prompts = [self.prompt(name) for name in (self.class_names if names is None else names)]
        if not prompts:
            raise ConfigError("There is no class to segment: add one, or load the tokens of one.")
        return self.segment(x, prompts, jointly)

    def segment(self, x: Tensor, prompts: Sequence[ClassPrompt], jointly: bool = False) -> Tensor:
        """As ``forward``, with the classes' prompts at hand.

        Args:
            x: images (B, C_in, *S).
            prompts: one or more.
            jointly: in one pass.

        Returns:
            Logits (B, prompts, *S), in float32.
        """
        logits = []
        for group in self.passes(prompts, jointly):
            features = self.body(x, group, self.adapters)
            logits += [class_logits(features, prompt) for prompt in group]
        return torch.stack(logits, 1)

    def passes(self, classes: Sequence[Class], jointly: bool) -> list[list[Class]]:
        """Classes that share a pass through the body: all of them, or each by itself.

        Where the body takes no tokens one pass serves all, and gives the same.
        """
        return [[*classes]] if jointly or not self.stages else [[one] for one in classes]

    def encoder_features(self, x: Tensor) -> list[Tensor]:
        """What the encoder sees in images, whichever classes there are: its stages' features, finest first.

        Args:
            x: images (B, C_in, *S).

        Returns:
            (B, C_s, *S_s) for each encoder stage.
        """
        return self.body.encode(x, adapters=self.adapters)

    def frozen_state(self) -> dict[str, Tensor]:
        """Every tensor of the body once, under its first name."""
        return {name: tensor.detach() for name, tensor in self.named_parameters() if _of_body(name)}

    def tuned_state(self) -> dict[str, Tensor]:
        """Every tensor of the classes' prompts, and of adapters, once."""
        return {name: tensor.detach() for name, tensor in self.named_parameters() if not _of_body(name)}

    def parameter_summary(self) -> str:
        """Frozen and tuned parameters, and the tuned ones as a share of the body, in words."""
        body = sum(parameter.numel() for parameter in self.body.parameters())
        return parameter_summary(self, pretrained=body)


def trained_classes(weights: Mapping[str, Tensor]) -> list[str]:
    """The classes of a PUNet that have been trained: those whose logits were not switched off.

    Args:
        weights: all tensors of the network.
    """
    start, end = f"classes.{CLASS}", ".scale"
    scales = {key: value for key, value in weights.items() if key.startswith(start) and key.endswith(end)}
    return [_name(key.removeprefix("classes.").removesuffix(end)) for key, value in scales.items() if value]


def _of_body(name: str) -> bool:
    return name.startswith("body.")


def _key(name: str) -> str:
    """The name as torch takes it, which would see a submodule behind a full stop."""
    return CLASS + name.replace("%", "%25").replace(".", "%2E")


def _name(key: str) -> str:
    return key.removeprefix(CLASS).replace("%2E", ".").replace("%25", "%")
