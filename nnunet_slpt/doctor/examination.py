"""All checks of a model and a dataset, in their order: *request → patient → findings → verdict*.

Owns the order, and what becomes of a check that cannot be made. Writes nothing.
"""

__all__ = ["Examination", "examine"]

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nnunet_slpt.doctor.host import results_folder, trainer
from nnunet_slpt.doctor.images import axes, field_of_view, orientation, unusable_images
from nnunet_slpt.doctor.intensities import intensities
from nnunet_slpt.doctor.labels import empty_labels, few_labels, unseen_classes, unusable_labels
from nnunet_slpt.doctor.memory import gpu_memory
from nnunet_slpt.doctor.patient import Check, Patient, Seen
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
        patient: what was looked at.
        findings: errors first, then warnings, then notes.
    """

    patient: Patient
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
    patient = _patient(request)
    findings = _told(patient, (results_folder, trainer, files))
    of_model = _told(patient, AT_FIRST)
    findings += of_model
    if _readable(patient):
        findings += _told(patient, OF_CASES)
        if patient.target.usable:
            # With another network, or other channels, they would tell the same in other words.
            if not any(one.level == "error" for one in of_model):
                findings += _told(patient, OF_PLANS)
            findings += _told(patient, (*OF_IMAGES, *OF_USABLE_IMAGES))
    once: dict[str, Finding] = {}
    for finding in findings:  # what is broken may stop several checks
        once.setdefault(finding.text, finding)
    return Examination(patient, tuple(sorted(once.values(), key=lambda one: LEVELS.index(one.level))))


def files(patient: Patient) -> Iterator[Finding]:
    """Each case has the files that nnU-Net expects, under the names that it expects."""
    try:
        patient.target.cases  # noqa: B018  raises
    except SLPTError as error:
        yield Finding("error", "files", str(error))


def can_be_planned(patient: Patient) -> Iterator[Finding]:
    """nnunet_slpt_plan would not refuse: weights and plans belong together, the patch fits the network."""
    try:
        patient.new_settings  # noqa: B018  raises
    except SLPTError as error:
        yield Finding("error", "plans", str(error))


def _patient(request: Request) -> Patient:
    found = Seen.of(request.dataset, request.processes)  # before the model, which takes longer to read
    model = read_model(request.model, request.configuration, request.fold, request.checkpoint)
    plans = in_todays_format(model.plans, model.configuration)
    target = Seen(found.raw, found.preprocessed, found.processes, models_reader=plans["image_reader_writer"])
    target.label_values  # noqa: B018  without a usable dataset.json there is nothing to look at
    return Patient(model, plans, target, request.stem, request=request)


def _readable(patient: Patient) -> bool:
    return not list(files(patient))


def _told(patient: Patient, checks: Iterable[Check]) -> list[Finding]:
    """What the checks find; one that cannot be made does not take the others with it."""
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check(patient)
        except SLPTError as error:
            findings.append(Finding("error", _name(check), str(error)))
        except Exception as error:  # noqa: BLE001  something else is broken that no check has words for
            why = f"could not be checked ({type(error).__name__}: {error})."
            findings.append(Finding("warning", _name(check), why, "See whether the errors tell why."))
    return findings


def _name(check: Check) -> str:
    return getattr(check, "__name__", "check").replace("_", " ")


OF_CASES: tuple[Check, ...] = (unusable_images, unusable_labels, few_labels, empty_labels, unseen_classes)
OF_USABLE_IMAGES: tuple[Check, ...] = (axes, orientation, field_of_view, intensities)
OF_PLANS: tuple[Check, ...] = (can_be_planned, gpu_memory)
