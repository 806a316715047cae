"""The prompt configuration: the block ``plans["slpt"]``, validated once.

It lives in the plans file because inference rebuilds the network from the plans alone.
Must not import torch or nnU-Net.
"""

__all__ = ["PromptConfig"]

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nnunet_slpt.errors import ConfigError, one_of

PLANS_KEY = "slpt"
OPTIMIZERS = ("AdamW", "SGD")
STEMS = ("repeat", "average")
LOSS_WEIGHTS = ("weight_tversky", "weight_cross_entropy", "weight_diversity")
WHOLE_NUMBERS = (
    "prompts",
    "prompt_channels",
    "width",
    "epochs",
    "iterations_per_epoch",
    "validation_iterations_per_epoch",
)
# Parts of SLPT that can be left out, to see what each is good for.
PARTS = ("updaters", "aspp", "squeeze_excitation", "separable", "views", "foreground_start")

# (alpha, beta) weigh false positives and false negatives: neutral, recall-seeking, precision-seeking.
TVERSKY_PAIRS = ((0.5, 0.5), (0.3, 0.7), (0.7, 0.3))


@dataclass(frozen=True, kw_only=True)
class PromptConfig:
    """Everything that can be set about prompt tuning, with the defaults for plans without a block.

    Args:
        prompts: K, the number of diversified prompts, each with its own heads.
        prompt_channels: channels of a prompt between two updaters.
        width: channels of an updater's feature branch, beside an eighth of the stage's own.
        tversky: one (alpha, beta) per prompt; repeated in turn when shorter than ``prompts``.
        weight_tversky: lambda 1 of the loss.
        weight_cross_entropy: lambda 2 of the loss.
        weight_diversity: lambda 3 of the loss.
        updaters: put updaters behind the frozen modules; without, the prompts are added to the images alone.
        aspp: multi-scale context in the updaters.
        squeeze_excitation: channel attention in the updaters.
        separable: depth-separable convolutions in the updaters; plain ones otherwise.
        views: each prompt sees the batch in an augmentation of its own; otherwise all see the same.
        foreground_start: the meta prompt starts from the foreground's probability map; otherwise from noise.
        optimizer: ``AdamW`` or ``SGD`` (Nesterov, momentum 0.99, as nnU-Net); ``None``, here and in the next
            two, takes what the trainer is known to work with.
        learning_rate: initial rate of the polynomial schedule.
        weight_decay: decay of the tuned weights.
        epochs: number of epochs.
        iterations_per_epoch: optimizer steps an epoch.
        validation_iterations_per_epoch: validation batches an epoch.
        seed: seed of initialisation and of every epoch.
        region_based: labels are overlapping regions (sigmoid); written by the trainer.
        pretrained_checkpoint: path of the pretrained checkpoint, used without ``-pretrained_weights``.
        pretrained_sha256: ``base_hash`` of the frozen weights that are expected there; ``None`` takes any.
        stem: what becomes of the first layer's weights if the images have another number of channels than
            the pretrained network knows: ``repeat`` or ``average``; ``None`` refuses.

    Raises:
        ConfigError: a key is unknown or a value is out of range.

    References:
        SLPT (arXiv:2308.04911), sections 2.1 and 2.2: K, lambda, (alpha, beta).
    """

    prompts: int = 3
    prompt_channels: int = 8
    width: int = 12
    tversky: tuple[tuple[float, float], ...] = TVERSKY_PAIRS
    weight_tversky: float = 1.0
    weight_cross_entropy: float = 1.0
    weight_diversity: float = 1.0
    updaters: bool = True
    aspp: bool = True
    squeeze_excitation: bool = True
    separable: bool = True
    views: bool = True
    foreground_start: bool = True
    optimizer: str | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    epochs: int = 200
    iterations_per_epoch: int = 250
    validation_iterations_per_epoch: int = 50
    seed: int = 0
    region_based: bool = False
    pretrained_checkpoint: str | None = None
    pretrained_sha256: str | None = None
    stem: str | None = None

    def __post_init__(self) -> None:
        for name in WHOLE_NUMBERS:
            value = getattr(self, name)
            self._require(type(value) is int and value >= 1, name, "a whole number from 1 on")
        for name in PARTS:
            self._require(type(getattr(self, name)) is bool, name, "true or false")
        for name in LOSS_WEIGHTS:
            self._require(_is_weight(getattr(self, name)), name, "a number from 0 on")
        decay, rate = self.weight_decay, self.learning_rate
        self._require(decay is None or _is_weight(decay), "weight_decay", "a number from 0 on, or null")
        self._require(
            rate is None or (_is_weight(rate) and rate > 0), "learning_rate", "a number above 0, or null"
        )
        some_loss = self.weight_tversky + self.weight_cross_entropy > 0
        self._require(some_loss, "weight_tversky", "a number above 0 here or in weight_cross_entropy")
        self._require(type(self.seed) is int and 0 <= self.seed < 2**31, "seed", "a whole number below 2**31")
        usable = [len(pair) == 2 and all(map(_is_weight, pair)) and any(pair) for pair in self.tversky]
        self._require(len(usable) > 0 and all(usable), "tversky", "pairs [alpha, beta] from 0 on, not both 0")
        for name in ("pretrained_checkpoint", "pretrained_sha256"):
            value = getattr(self, name)
            self._require(value is None or isinstance(value, str), name, "text or nothing (null)")
        for name, known in (("optimizer", (*OPTIMIZERS, None)), ("stem", (*STEMS, None))):
            if getattr(self, name) not in known:
                raise ConfigError(f'plans["{PLANS_KEY}"]: {one_of(name, getattr(self, name), known)}.')

    def _require(self, condition: bool, name: str, expected: str) -> None:
        if not condition:
            raise ConfigError(
                f'plans["{PLANS_KEY}"]["{name}"] is {getattr(self, name)!r}, expected {expected}. '
                f"Correct it in the plans file or leave it out for the default, {_DEFAULTS[name]!r}."
            )

    @classmethod
    def from_plans(cls, plans: Mapping[str, Any]) -> "PromptConfig":
        """Read the ``slpt`` block of nnU-Net plans; the defaults where it is absent.

        >>> PromptConfig.from_plans({"slpt": {"prompts": 5}}).prompts
        5

        Raises:
            ConfigError: the block is no dictionary, a key is unknown or a value is out of range.
        """
        block = plans.get(PLANS_KEY, {})
        if not isinstance(block, Mapping):
            raise ConfigError(
                f'plans["{PLANS_KEY}"] is a {type(block).__name__}, expected a dictionary of settings.'
            )
        for key in block:
            if key not in _DEFAULTS:
                raise ConfigError(f'plans["{PLANS_KEY}"]: {one_of("key", key, _DEFAULTS)}.')
        values = dict(block)
        if "tversky" in values:
            values["tversky"] = _pairs(values["tversky"])
        return cls(**values)

    def as_block(self) -> dict[str, Any]:
        """The block to write into plans: every setting, in JSON's types."""
        block = dataclasses.asdict(self)
        block["tversky"] = [list(pair) for pair in self.tversky]
        return block

    def tversky_of(self, prompt: int) -> tuple[float, float]:
        """(alpha, beta) of prompt k."""
        return self.tversky[prompt % len(self.tversky)]


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(PromptConfig)}


def _is_weight(value: object) -> bool:
    """A number from 0 on; no truth value, and neither NaN nor infinite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0


def _pairs(value: object) -> tuple[tuple[float, float], ...]:
    try:
        return tuple(tuple(float(number) for number in pair) for pair in value)  # type: ignore[attr-defined,misc]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f'plans["{PLANS_KEY}"]["tversky"] is {value!r}, expected a list of pairs [alpha, beta].'
        ) from error
