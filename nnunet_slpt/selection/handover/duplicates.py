"""Labels that are brought twice, or that belong to another case.

Writes nothing. Must not import nnU-Net itself.
"""

__all__ = ["mark_duplicates"]

from collections.abc import Sequence

from nnunet_slpt.datasets.label_checks import size_of
from nnunet_slpt.selection.handover.examination import Examiner, Finding


def mark_duplicates(findings: Sequence[Finding], examiner: Examiner) -> None:
    """Add to the problems of those that bring a case twice, or the label of another case.

    Args:
        findings: all of a call.
        examiner: that made them.
    """
    there = _of_the_dataset(findings, examiner)
    for found in findings:
        for other in findings:
            if other is not found and other.case == found.case:
                found.problems.append(f"{other.file.name} is the same case. Take one of the two away.")
        others = [(one.case, one.voxels) for one in findings if not one.there] + there
        equal = sorted({case for case, voxels in others if case != found.case and voxels == found.voxels})
        if equal and found.voxels and not found.there:
            found.problems.append(
                f"it equals the label of {', '.join(equal)} in every voxel, so it is a copy under another "
                "name. Draw this case, or correct the other."
            )


def _of_the_dataset(findings: Sequence[Finding], examiner: Examiner) -> list[tuple[str, str]]:
    """Case and voxels of labels that stay there; only those of the same size are read."""
    sizes = {size_of(one.file) for one in findings if one.voxels}
    goes_in = [one for one in findings if one.begun and not one.there and not one.problems]
    replaced = {one.case for one in goes_in if examiner.asked.overwrite}
    stay = [case for case in examiner.desk.cases.values() if case.labelled and case.name not in replaced]
    return [(case.name, examiner.digest(case.label)) for case in stay if size_of(case.label) in sizes]
