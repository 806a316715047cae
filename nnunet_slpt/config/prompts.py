"""The settings of SLPT, and their defaults for plans without them.

Must not import torch or nnU-Net.
"""

__all__ = ["PromptConfig"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nnunet_slpt.config.training import PLANS_KEY, TrainingConfig, is_weight
from nnunet_slpt.errors import ConfigError

LOSS_WEIGHTS = ("weight_tversky", "weight_cross_entropy", "weight_diversity")
# Parts of SLPT that can be left out, to see what each is good for.
PARTS = (
    "updaters",
    "scale_shift",
    "aspp",
    "squeeze_excitation",
    "separable",
    "prompt_map",
    "views",
    "foreground_start",
)

# (alpha, beta) weigh false positives and false negatives: neutral, recall-seeking, precision-seeking.
TVERSKY_PAIRS = ((0.5, 0.5), (0.3, 0.7), (0.7, 0.3))


@dataclass(frozen=True, kw_only=True)
class PromptConfig(TrainingConfig):
    """Everything that can be set about prompt tuning, beside the settings of every training.

    Args:
        prompts: K, the number of diversified prompts, each with its own heads.
        prompt_channels: channels of a prompt between two updaters.
        width: least channels of an updater's feature branch; more where a quarter of the stage's own is more.
        tversky: one (alpha, beta) per prompt; repeated in turn when shorter than ``prompts``.
        weight_tversky: lambda 1 of the loss.
        weight_cross_entropy: lambda 2 of the loss.
        weight_diversity: lambda 3 of the loss.
        updaters: put updaters behind the frozen modules; without, the prompts are added to the images alone.
        scale_shift: tune what is added to the scales and shifts of the frozen normalisations.
        aspp: multi-scale context in the updaters.
        squeeze_excitation: channel attention in the updaters.
        separable: depth-separable convolutions in the updaters; plain ones otherwise.
        prompt_map: the first updater sees the prompt's map; otherwise a prompt acts by its signature alone.
        views: each prompt sees the batch in an augmentation of its own; otherwise all see the same.
        prompts_per_step: how many of the prompts take part in an optimizer step, in turn; ``None``: all.
        foreground_start: the meta prompt starts from the foreground's probability map; otherwise from noise.

    Raises:
        ConfigError: a key is unknown or a value is out of range.

    References:
        SLPT (arXiv:2308.04911), sections 2.1 and 2.2: K, lambda, (alpha, beta).
    """

    of_network: ClassVar[tuple[str, ...]] = (
        *TrainingConfig.of_network,
        *("prompts", "prompt_channels", "width", "updaters", "scale_shift", "aspp"),
        *("squeeze_excitation", "separable", "prompt_map"),
    )

    prompts: int = 3
    prompt_channels: int = 8
    width: int = 16
    tversky: tuple[tuple[float, float], ...] = TVERSKY_PAIRS
    weight_tversky: float = 1.0
    weight_cross_entropy: float = 1.0
    weight_diversity: float = 1.0
    updaters: bool = True
    scale_shift: bool = True
    aspp: bool = True
    squeeze_excitation: bool = True
    separable: bool = True
    prompt_map: bool = True
    views: bool = True
    foreground_start: bool = True
    prompts_per_step: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_whole("prompts", "prompt_channels", "width")
        for name in PARTS:
            self.require(type(getattr(self, name)) is bool, name, "true or false")
        for name in LOSS_WEIGHTS:
            self.require(is_weight(getattr(self, name)), name, "a number from 0 on")
        turn = self.prompts_per_step
        self.require(
            turn is None or (type(turn) is int and 1 <= turn <= self.prompts),
            "prompts_per_step",
            "a whole number from 1 to prompts, or null",
        )
        some_loss = self.weight_tversky + self.weight_cross_entropy > 0
        self.require(some_loss, "weight_tversky", "a number above 0 here or in weight_cross_entropy")
        usable = [len(pair) == 2 and all(map(is_weight, pair)) and any(pair) for pair in self.tversky]
        self.require(len(usable) > 0 and all(usable), "tversky", "pairs [alpha, beta] from 0 on, not both 0")

    @staticmethod
    def converted(block: Mapping[str, Any]) -> dict[str, Any]:
        """With the pairs as tuples.

        >>> PromptConfig.from_plans({"slpt": {"tversky": [[1, 0]]}}).tversky
        ((1.0, 0.0),)
        """
        values = TrainingConfig.converted(block)
        return {**values, **({"tversky": _pairs(block["tversky"])} if "tversky" in block else {})}

    def prompts_of_step(self, step: int) -> list[int]:
        """Which prompts take part in a step, counted from 0 on.

        >>> PromptConfig(prompts=3, prompts_per_step=2).prompts_of_step(1)
        [2, 0]
        """
        turn = self.prompts_per_step or self.prompts
        return [(step * turn + number) % self.prompts for number in range(turn)]

    def tversky_of(self, prompt: int) -> tuple[float, float]:
        """(alpha, beta) of prompt k."""
        return self.tversky[prompt % len(self.tversky)]


def _pairs(value: object) -> tuple[tuple[float, float], ...]:
    try:
        return tuple(tuple(float(number) for number in pair) for pair in value)  # type: ignore[attr-defined,misc]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f'plans["{PLANS_KEY}"]["tversky"] is {value!r}, expected a list of pairs [alpha, beta].'
        ) from error
