"""The settings of PUNet's two trainers: pretraining a body, and tuning a class's tokens.

Must not import torch or nnU-Net.
"""

__all__ = ["PUNET_VARIANTS", "PUNetConfig", "PUNetPretrainConfig"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nnunet_slpt.config.training import PLANS_KEY, TrainingConfig, is_weight
from nnunet_slpt.errors import ConfigError

# What is tuned beside the tokens of the head, and in which of them the body takes tokens, too.
PUNET_VARIANTS = ("tokens", "head", "decoder", "bias_norm", "adapter", "full")
WITH_TOKENS_INSIDE = ("tokens", "full")


@dataclass(frozen=True, kw_only=True)
class _OfClasses(TrainingConfig):
    """What both trainings have: names of classes.

    Args:
        classes: the network's, in the order of its outputs; written by the trainer.
    """

    of_network: ClassVar[tuple[str, ...]] = (*TrainingConfig.of_network, "classes")

    classes: tuple[str, ...] = ()

    @staticmethod
    def converted(block: Mapping[str, Any]) -> dict[str, Any]:
        """With names as tuples."""
        values = TrainingConfig.converted(block)
        return {key: _names(key, value) if key in _NAMES else value for key, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class PUNetConfig(_OfClasses):
    """Everything that can be set about tuning a PUNet, beside the settings of every training.

    Args:
        classes: the network's, in the order of its outputs; written by the trainer.
        tuned: one of ``PUNET_VARIANTS``.
        jointly: all classes in one pass, in training and inference; otherwise each in a pass of its own.

    Raises:
        ConfigError: a key is unknown or a value is out of range.

    References:
        PUNet (arXiv:2211.09233), what it is compared with: a new head, the decoder, bias and normalisation,
        adapters, all weights.
    """

    of_network: ClassVar[tuple[str, ...]] = (*_OfClasses.of_network, "tuned", "jointly")

    tuned: str = "tokens"
    jointly: bool = False

    @classmethod
    def from_plans(cls, plans: Mapping[str, Any]) -> "PUNetConfig":
        """As of every training.

        Raises:
            ConfigError: they are plans to pretrain a PUNet, too.
        """
        if PUNetPretrainConfig.wrote(plans):
            raise ConfigError(
                "These plans pretrain a PUNet (nnUNetTrainerPUNetPretrain). To tune what was pretrained make "
                "plans from it: nnunet_slpt_plan -d DATASET -m MODEL"
            )
        return super().from_plans(plans)

    @property
    def tokens_inside(self) -> bool:
        """Whether the body takes tokens, too, where its plans say."""
        return self.tuned in WITH_TOKENS_INSIDE

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_one_of("tuned", PUNET_VARIANTS)
        self.require(type(self.jointly) is bool, "jointly", "true or false")


@dataclass(frozen=True, kw_only=True)
class PUNetPretrainConfig(_OfClasses):
    """Everything that can be set about pretraining a PUNet, beside the settings of every training.

    Args:
        classes: the network's, in the order of its outputs; written by the trainer.
        concurrent: names of the labels that are segmented beside the self-supervision; ``None`` takes all,
            none is fine.
        weight_assignment: of the self-supervised loss, beside the segmentation's.
        hidden: share of the student's view that is hidden.
        prototypes: at most so many along each axis of a patch; of one alone nothing could be learned.

    Raises:
        ConfigError: a key is unknown or a value is out of range.

    References:
        PUNet (arXiv:2211.09233): contrastive prototype assignment, weight 0.01 beside a focal loss on a
        subset of the classes.
    """

    concurrent: tuple[str, ...] | None = None
    weight_assignment: float = 0.01
    hidden: float = 0.3
    prototypes: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(is_weight(self.weight_assignment), "weight_assignment", "a number from 0 on")
        self.require(is_weight(self.hidden) and self.hidden < 1, "hidden", "a share from 0 on, below 1")
        self.require_whole("prototypes", lowest=2)

    @staticmethod
    def wrote(plans: Mapping[str, Any]) -> bool:
        """Whether these are the plans of a pretraining."""
        return "concurrent" in (plans.get(PLANS_KEY) or {})


_NAMES = ("classes", "concurrent")


def _names(key: str, value: object) -> tuple[str, ...] | None:
    if value is None and key == "concurrent":
        return None
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f'plans["{PLANS_KEY}"]["{key}"] is {value!r}, expected a list of names of labels.')
    return tuple(value)
