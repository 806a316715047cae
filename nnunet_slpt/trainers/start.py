"""What has to be right before the first epoch: the optimizer, and weights to start from.

Writes nothing. Must not import the trainer.
"""

__all__ = [
    "FEW_WEIGHTS",
    "MANY_WEIGHTS",
    "Recipe",
    "Startable",
    "check_same_settings",
    "leaving_nothing_behind",
    "load_pretrained",
    "start_from_pretrained",
]

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from torch import Tensor

from nnunet_slpt.config import PLANS_KEY, TrainingConfig, check_revision
from nnunet_slpt.errors import CheckpointError, SLPTError
from nnunet_slpt.label_outputs import Labels
from nnunet_slpt.pretrained import (
    FrozenNetwork,
    Pretrained,
    base_hash,
    load_backbone,
    pretrained_heads,
    read_checkpoint,
    shared_heads,
)

# A run may be made longer, and its pretrained network may move: the checkpoint holds those weights.
MAY_CHANGE = ("epochs", "pretrained_checkpoint", "pretrained_sha256")

Config = TypeVar("Config", bound=TrainingConfig)


@dataclass(frozen=True)
class Recipe:
    """The optimizer that a way of tuning is known to work with, for what the plans leave open.

    Args:
        optimizer: ``AdamW`` or ``SGD``.
        learning_rate: of the first epoch.
        weight_decay: of the tuned weights.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float

    def fill(self, config: Config) -> Config:
        """The configuration with these values where it has ``None``."""
        return replace(
            config, **{key: value for key, value in vars(self).items() if getattr(config, key) is None}
        )


FEW_WEIGHTS = Recipe("AdamW", learning_rate=1e-2, weight_decay=0.0)
MANY_WEIGHTS = Recipe("AdamW", learning_rate=3e-3, weight_decay=1e-2)


class Heads(Protocol):
    """The segmentation heads of a network."""

    @property
    def classes(self) -> int:
        """Channels of the output."""

    def start_from(self, stage: int, weight: Tensor, bias: Tensor, rows: Mapping[int, int]) -> None:
        """Begin the heads of a decoder stage with rows of a pretrained head."""


class Startable(FrozenNetwork, Protocol):
    """A network that pretrained weights can be loaded into: a ``PromptedUNet`` or a ``StockUNet``."""

    @property
    def heads(self) -> Heads:
        """Its segmentation heads."""

    def parameter_summary(self) -> str:
        """What is frozen and tuned, in words."""


def load_pretrained(network: FrozenNetwork, config: TrainingConfig) -> tuple[Pretrained, str]:
    """Load pretrained weights into everything that is not newly added.

    Args:
        network: freshly built.
        config: names the pretrained checkpoint, its hash and what to do with its first layer.

    Returns:
        The checkpoint, and which it is, for the log.

    Raises:
        CheckpointError: no file is given, it cannot be read, or it holds other weights than were planned.
        ArchitectureError: the weights belong to another network.
    """
    if config.pretrained_checkpoint is None:
        raise CheckpointError(
            "This trainer tunes a pretrained network and got none. Pass its checkpoint: "
            "nnUNetv2_train ... -pretrained_weights .../fold_X/checkpoint_final.pth"
        )
    if not Path(config.pretrained_checkpoint).exists():
        raise CheckpointError(
            f"There is no checkpoint {config.pretrained_checkpoint}, which the plans "
            f'("{PLANS_KEY}", "pretrained_checkpoint") or -pretrained_weights name. Put it back there, or '
            "name it where it is now."
        )
    pretrained = read_checkpoint(config.pretrained_checkpoint)
    load_backbone(network, pretrained, config.stem)
    found = base_hash(network.frozen_state())
    if config.pretrained_sha256 not in (None, found):
        raise CheckpointError(
            f"{pretrained.path} is not the file that the plans were made for: sha256 of the frozen weights: "
            f"got {found}, expected {config.pretrained_sha256}. Put the file back, plan again with "
            "nnunet_slpt_plan --overwrite, or pass -pretrained_weights to take this one on purpose."
        )
    which = f"{pretrained.path} (sha256 of the frozen weights {found[:12]}…)"
    known = pretrained.mirror_axes
    if config.mirror_axes is None and known is not None:
        which += (
            "; it was not mirrored along all axes, and this training is: "
            f'"mirror_axes": {[*known]} in the block of the plans changes that'
        )
    return pretrained, which


def start_from_pretrained(network: Startable, config: TrainingConfig, labels: Labels) -> str:
    """Fill all but the heads, and begin heads of labels that the pretrained network knows with its own.

    Args:
        network: freshly built.
        config: names the pretrained checkpoint, its hash and what to do with its first layer.
        labels: of the dataset to tune for, as in ``dataset.json``.

    Returns:
        Where the network started, for the log.

    Raises:
        CheckpointError: no file is given, it cannot be read, or it holds other weights than were planned.
        ArchitectureError: the weights belong to another network.
    """
    pretrained, which = load_pretrained(network, config)
    rows = shared_heads(pretrained, labels)
    for stage, (weight, bias) in enumerate(pretrained_heads(pretrained)):
        network.heads.start_from(stage, weight, bias, rows)
    return (
        f"{which}: {network.parameter_summary()}. "
        f"{len(rows)} of {network.heads.classes} outputs start from the pretrained head."
    )


def check_same_settings(checkpoint: Pretrained, config: TrainingConfig) -> None:
    """Refuse to go on with a checkpoint under other settings than those it was made with.

    Args:
        checkpoint: of this trainer.
        config: the settings now.

    Raises:
        CheckpointError: a setting has changed, other than those that may.
        ConfigError: it was made in networks of another revision.
    """
    check_revision(checkpoint.plans)
    now, then = config.as_block(), checkpoint.plans.get(PLANS_KEY, {})
    if then:  # what it lacks was not there yet, and as it is by default
        then = type(config)().as_block() | then
    changed = [key for key in then if key not in MAY_CHANGE and key in now and then[key] != now[key]]
    if changed:
        raise CheckpointError(
            f'{checkpoint.path} was made with other settings in plans["{PLANS_KEY}"]: '
            + "; ".join(f"{key}: got {now[key]!r}, expected {then[key]!r}" for key in changed)
            + ". Set these back in the plans file, or train anew, with neither --c nor --val."
        )


@contextmanager
def leaving_nothing_behind(log_file: str, folders: Sequence[str | Path]) -> Iterator[None]:
    """Take back the log and the (still empty) folders that nnU-Net's ``__init__`` made, if a run is refused.

    Args:
        log_file: this run's log.
        folders: from the innermost to the outermost; one that holds anything else stays.
    """
    try:
        yield
    except SLPTError:
        Path(log_file).unlink(missing_ok=True)
        for folder in map(Path, folders):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise
