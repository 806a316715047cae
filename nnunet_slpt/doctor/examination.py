"""All checks of a model and a dataset, in their order: *request → what is examined → findings → verdict*.

Owns the order, and what becomes of a check that cannot be made. Writes nothing.
"""

__all__ = ["Examination", "examine"]

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nnunet_slpt.doctor.examined import Check, Examined, Seen
from nnunet_slpt.doctor.host import results_folder, trainer
from nnunet_slpt.doctor.images import axes, field_of_view, orientation, unusable_images
from nnunet_slpt.doctor.intensities import intensities
from nnunet_slpt.doctor.labels import (
    empty_labels,
    few_labels,
    shifted_labels,
    unseen_classes,
    unusable_labels,
)
from nnunet_slpt.doctor.memory import gpu_memory
from nnunet_slpt.errors import SLPTError
from nnunet_slpt.planners.comparison import Finding
from nnunet_slpt.planners.draft import Request
from nnunet_slpt.planners.findings import AT_FIRST, OF_IMAGES
from nnunet_slpt.planners.old_plans import in_todays_format
from nnunet_slpt.pretrained import read_model

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Examination:
    """What was found.

    Args:
        examined: what was looked at.
        findings: errors first, then warnings, then notes.
    """

    examined: Examined
    findings: tuple[Finding, ...]

    @property
    def makes_sense(self) -> bool:
        """Whether to train: there is no error."""
        return self.count("error") == 0

    def count(self, level: str) -> int:
        """How many findings are of this level."""
        return sum(one.level == level for one in self.findings)


def examine(request: Request) -> Examination:
    """Look at a model and a dataset.

    Args:
        request: as for ``nnunet_slpt_plan``; nothing is written, so its plans' name does not matter.

    Raises:
        CheckpointError: the model cannot be read.
        DatasetError: there is no such dataset, or its ``dataset.json`` cannot be used.
        PlanningError: the model's plans are not nnU-Net's.
    """
    examined = _examined(request)
    findings = _told(examined, (results_folder, trainer, files))
    of_model = _told(examined, AT_FIRST)
    findings += of_model
    if _readable(examined):
        findings += _told(examined, OF_CASES)
        if examined.target.usable:
            # With another network, or other channels, they would tell the same in other words.
            if not any(one.level == "error" for one in of_model):
                findings += _told(examined, OF_PLANS)
            findings += _told(examined, (*OF_IMAGES, *OF_USABLE_IMAGES))
    once: dict[str, Finding] = {}
    for finding in findings:  # what is broken may stop several checks
        once.setdefault(finding.text, finding)
    return Examination(examined, tuple(sorted(once.values(), key=lambda one: LEVELS.index(one.level))))


def files(examined: Examined) -> Iterator[Finding]:
    """Each case has the files that nnU-Net expects, under the names that it expects."""
    try:
        examined.target.cases  # noqa: B018  raises
    except SLPTError as error:
        yield Finding("error", "files", str(error))


def can_be_planned(examined: Examined) -> Iterator[Finding]:
    """nnunet_slpt_plan would not refuse: weights and plans belong together, the patch fits the network."""
    try:
        examined.new_settings  # noqa: B018  raises
    except SLPTError as error:
        yield Finding("error", "plans", str(error))


def _examined(request: Request) -> Examined:
    found = Seen.of(request.dataset, request.processes)  # before the model, which takes longer to read
    model = read_model(request.model, request.configuration, request.fold, request.checkpoint)
    plans = in_todays_format(model.plans, model.configuration)
    target = Seen(found.raw, found.preprocessed, found.processes, models_reader=plans["image_reader_writer"])
    target.label_values  # noqa: B018  without a usable dataset.json there is nothing to look at
    return Examined(model, plans, target, request.stem, request=request)


def _readable(examined: Examined) -> bool:
    return not list(files(examined))


def _told(examined: Examined, checks: Iterable[Check]) -> list[Finding]:
    """What the checks find; one that cannot be made does not take the others with it."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(examined)
        except SLPTError as error:
            findings.append(Finding("error", _name(check), str(error)))
        except Exception as error:  # noqa: BLE001  something else is broken that no check has words for
            why = f"could not be checked ({type(error).__name__}: {error})."
            findings.append(Finding("warning", _name(check), why, "See whether the errors tell why."))
    return findings


def _name(check: Check) -> str:
    return getattr(check, "__name__", "check").replace("_", " ")


OF_CASES: tuple[Check, ...] = (
    unusable_images,
    unusable_labels,
    shifted_labels,
    few_labels,
    empty_labels,
    unseen_classes,
)
OF_USABLE_IMAGES: tuple[Check, ...] = (axes, orientation, field_of_view, intensities)
OF_PLANS: tuple[Check, ...] = (can_be_planned, gpu_memory)
