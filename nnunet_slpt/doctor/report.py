"""What the doctor found, for people and for programs. Must not write a file."""

__all__ = ["as_json", "as_text"]

from dataclasses import asdict
from typing import Any

from nnunet_slpt.doctor.examination import LEVELS, Examination
from nnunet_slpt.versions import versions_of


def as_json(examination: Examination) -> dict[str, Any]:
    """Everything, in JSON's types.

    Args:
        examination: made.
    """
    examined = examination.examined
    return {
        "dataset": examined.target.name,
        "model": str(examined.model.source.absolute()),
        "checkpoint": examined.model.checkpoint,
        "configuration": examined.model.configuration,
        "training_makes_sense": examination.makes_sense,
        "findings": [asdict(finding) for finding in examination.findings],
        "versions": versions_of("nnunetv2", "torch"),
    }


def as_text(examination: Examination) -> str:
    """The same in lines, errors first, the verdict last.

    Args:
        examination: made.
    """
    examined = examination.examined
    lines = [f"{examined.target.name}, with {examined.model.checkpoint} of {examined.model.source}", ""]
    for finding in examination.findings:
        lines.append(f"{finding.level}: {finding.subject}: {finding.text}")
        lines += [f"  {finding.remedy}"] if finding.remedy else []
    return "\n".join([*lines, "", _verdict(examination)])


def _verdict(examination: Examination) -> str:
    counts = [(examination.count(level), level) for level in LEVELS]
    words = ", ".join(f"{count} {level}{'s' if count > 1 else ''}" for count, level in counts if count)
    verdict = "Training makes no sense yet"
    if examination.makes_sense:
        labelled = examination.examined.target.labelled
        verdict = "Training makes sense" if labelled else "Training will make sense once cases are labelled"
    return f"{verdict}: {words or 'nothing to tell'}."
