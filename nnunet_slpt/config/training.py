"""The settings that all trainings share, and how a block of plans is read and checked.

Owns the block's key. Knows no method; must not import torch or nnU-Net.
"""

__all__ = [
    "FIRST_REVISION",
    "PLANS_KEY",
    "REVISION",
    "STEMS",
    "TrainingConfig",
    "check_revision",
    "is_weight",
    "of_other_revision",
]

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from nnunet_slpt.errors import ConfigError, one_of

PLANS_KEY = "slpt"
# One more whenever a network of the same settings and weights begins to compute something else.
# 2: ASPP dilates along each axis by itself; the tokens of a PUNet's head compete.
REVISION = 2
FIRST_REVISION = 1  # of files that tell none
OPTIMIZERS = ("AdamW", "SGD")
STEMS = ("repeat", "average")
AXES = {0, 1, 2}

Config = TypeVar("Config", bound="TrainingConfig")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Length, optimizer, seed and origin of a training, with the defaults for plans without a block.

    Args:
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
        mirror_axes: axes of the patch along which images are mirrored, in training and prediction, of those
            that nnU-Net would mirror along; ``None`` all of these.
        revision: of what the network computes; written by the trainer.

    Raises:
        ConfigError: a key is unknown or a value is out of range.
    """

    # What the network is built by: the folds of one model have to have it in common.
    of_network: ClassVar[tuple[str, ...]] = ("region_based", "revision")

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
    mirror_axes: tuple[int, ...] | None = None
    revision: int = REVISION

    def __post_init__(self) -> None:
        self.require_whole("epochs", "iterations_per_epoch", "validation_iterations_per_epoch", "revision")
        decay, rate = self.weight_decay, self.learning_rate
        self.require(decay is None or is_weight(decay), "weight_decay", "a number from 0 on, or null")
        self.require(
            rate is None or (is_weight(rate) and rate > 0), "learning_rate", "a number above 0, or null"
        )
        self.require(type(self.seed) is int and 0 <= self.seed < 2**31, "seed", "a whole number below 2**31")
        for name in ("pretrained_checkpoint", "pretrained_sha256"):
            value = getattr(self, name)
            self.require(value is None or isinstance(value, str), name, "text or nothing (null)")
        self.require_one_of("optimizer", (*OPTIMIZERS, None))
        self.require_one_of("stem", (*STEMS, None))
        axes = self.mirror_axes
        some = axes is None or (isinstance(axes, tuple) and {*map(type, axes)} <= {int} and {*axes} <= AXES)
        self.require(some, "mirror_axes", "a list of axes, from 0 to 2, or null")

    def require(self, condition: bool, name: str, expected: str) -> None:
        """Refuse the value of a key.

        Raises:
            ConfigError: the condition does not hold.
        """
        if not condition:
            raise ConfigError(
                f'plans["{PLANS_KEY}"]["{name}"] is {getattr(self, name)!r}, expected {expected}. '
                f"Correct it in the plans file or leave it out for the default, {_defaults(self)[name]!r}."
            )

    def require_whole(self, *names: str, lowest: int = 1) -> None:
        """Refuse what is no whole number from ``lowest`` on.

        Raises:
            ConfigError: one is not.
        """
        for name in names:
            value = getattr(self, name)
            whole = type(value) is int and value >= lowest
            self.require(whole, name, f"a whole number from {lowest} on")

    def require_one_of(self, name: str, known: Iterable[str | None]) -> None:
        """Refuse a value that nobody knows.

        Raises:
            ConfigError: it is one.
        """
        if getattr(self, name) not in (*known,):
            raise ConfigError(f'plans["{PLANS_KEY}"]: {one_of(name, getattr(self, name), known)}.')

    @classmethod
    def from_plans(cls: type[Config], plans: Mapping[str, Any]) -> Config:
        """Read the ``slpt`` block of nnU-Net plans; the defaults where it is absent.

        >>> TrainingConfig.from_plans({"slpt": {"epochs": 5}}).epochs
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
            if key not in _defaults(cls):
                raise ConfigError(f'plans["{PLANS_KEY}"]: {one_of("key", key, _defaults(cls))}.')
        return cls(**cls.converted(block))

    @staticmethod
    def converted(block: Mapping[str, Any]) -> dict[str, Any]:
        """The block's values as this class holds them; what JSON has no type for.

        >>> TrainingConfig.from_plans({"slpt": {"mirror_axes": [1, 2]}}).mirror_axes
        (1, 2)
        """
        axes = block.get("mirror_axes")
        return {**block, "mirror_axes": tuple(axes) if isinstance(axes, list) else axes}

    def as_block(self) -> dict[str, Any]:
        """The block to write into plans: every setting, in JSON's types."""
        return {name: _as_lists(value) for name, value in dataclasses.asdict(self).items()}


def check_revision(plans: Mapping[str, Any]) -> None:
    """Refuse a model whose weights mean something else in the networks of this version.

    Args:
        plans: of the model. A block that a trainer wrote before there were revisions is of the first.

    Raises:
        ConfigError: its block is of another revision.
    """
    block = plans.get(PLANS_KEY) or {}
    found = block.get("revision", FIRST_REVISION if "region_based" in block else REVISION)
    if found != REVISION:
        raise ConfigError(of_other_revision("This model", found))


def of_other_revision(what: str, found: object) -> str:
    """Why something that was tuned cannot be used.

    Args:
        what: it is, as users call it.
        found: its revision.
    """
    return (
        f"{what} was tuned by another version of nnunet_slpt, in networks of revision {found}, expected "
        f"{REVISION}: with the same weights they predict otherwise. Install the version that tuned it, or "
        "tune anew."
    )


def is_weight(value: object) -> bool:
    """A number from 0 on; no truth value, and neither NaN nor infinite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0


def _defaults(config: TrainingConfig | type[TrainingConfig]) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(config)}


def _as_lists(value: Any) -> Any:
    return [_as_lists(one) for one in value] if isinstance(value, tuple) else value
