"""A model beside a dataset, and what is found when one looks at the two.

Owns what a finding is; what is looked at is ``findings``'s. Must not import the planner.
"""

__all__ = ["Check", "Comparison", "Finding", "findings_of", "in_words", "next_choice", "refuse"]

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nnunet_slpt.datasets import channel_names
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.tunings import Tuning, tuning_of
from nnunet_slpt.pretrained import Model


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at and is not as the model expects it, or worth knowing.

    Args:
        level: ``note``, ``warning`` (it will work, maybe badly) or ``error`` (it cannot work).
        subject: what it is about, in a word or two.
        text: what was got and what expected.
        remedy: what to do; empty if there is nothing to do.
    """

    level: str
    subject: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.level}: {self.subject}: {self.text}{' ' + self.remedy if self.remedy else ''}"


@dataclass(frozen=True)
class Comparison:
    """A model beside a dataset.

    Args:
        model: the pretrained one.
        plans: its plans in today's format, with its configuration alone.
        target: the dataset to tune for.
        stem: how to make the first layer fit another number of channels, if that was asked for.
    """

    model: Model
    plans: Mapping[str, Any]
    target: Target
    stem: str | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model's configuration."""
        settings: Mapping[str, Any] = self.plans["configurations"][self.model.configuration]
        return settings

    @property
    def tuning(self) -> Tuning:
        """How such a network is tuned."""
        return tuning_of(self.settings)

    @property
    def model_channels(self) -> list[str]:
        """Names of the channels that the model was trained on."""
        return channel_names(self.model.dataset_json)

    @property
    def reader(self) -> str:
        """The name of the reader for the dataset's images."""
        return type(self.target.reader(self.plans["image_reader_writer"])).__name__


Check = Callable[[Comparison], Iterator[Finding]]


def findings_of(comparison: Comparison, checks: Iterable[Check]) -> list[Finding]:
    """All that these checks find, in their order.

    Args:
        comparison: what they look at.
        checks: such as ``AT_FIRST``.
    """
    return [finding for check in checks for finding in check(comparison)]


def refuse(findings: Sequence[Finding]) -> None:
    """Go no further if one of them is an error.

    Args:
        findings: of any level.

    Raises:
        PlanningError: with all errors, one a line.
    """
    errors = [f"{one.subject}: {one.text} {one.remedy}".strip() for one in findings if one.level == "error"]
    if errors:
        raise PlanningError("\n".join(errors))


def next_choice(model: Model, target: Target) -> str:
    """The command that chooses cases to annotate while no model is tuned for them.

    Args:
        model: the pretrained one, which need not be able to look at these images.
        target: the dataset.
    """
    command = f"nnunet_slpt_select -d {target.name} -n {max(1, min(5, len(target.cases) - target.labelled))}"
    same_channels = len(target.channels) == len(channel_names(model.dataset_json))
    if not same_channels or target.reader_class(str(model.plans.get("image_reader_writer"))) is None:
        return f"{command} -strategy random"
    # By default it would want prompts that disagree once there are labels.
    return f"{command}{' -strategy kmeans' if target.labelled else ''} -m {model.unpacked}"


def in_words(values: Iterable[float]) -> str:
    """Numbers along the axes, such as ``10 x 3 x 3``.

    Args:
        values: one an axis.
    """
    return " x ".join(f"{value:.3g}" for value in values)
