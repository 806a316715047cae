"""What became of the labels that were brought, and how much of the pre-labels was changed.

As a table, as JSON, and as a file beside each round. Must not import torch or nnU-Net.
"""

__all__ = ["Collected", "write_reports"]

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt import files
from nnunet_slpt.selection.handover.examination import Finding
from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.versions import versions_of

COLLECTED = "collected.json"
OUTCOMES = ("taken", "there already", "not begun", "refused")
Entry = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Collected:
    """What one call found.

    Args:
        findings: one a file.
        waited: names of the chosen cases that had no label before.
        dry_run: nothing was written.
    """

    findings: tuple[Finding, ...]
    waited: Sequence[str]
    dry_run: bool

    @property
    def taken(self) -> list[Finding]:
        """Those that go into the dataset."""
        return [one for one in self.findings if _outcome(one) == "taken"]

    @property
    def refused(self) -> list[Finding]:
        """Those with something wrong."""
        return [one for one in self.findings if one.problems]

    @property
    def waiting(self) -> list[str]:
        """Names of the chosen cases that have no label now."""
        taken = {one.case for one in self.taken}
        return [name for name in self.waited if name not in taken]

    @property
    def exit_code(self) -> int:
        """0 if nothing is refused, 1 if some are, 2 if all are."""
        if not self.refused:
            return 0
        return 2 if len(self.refused) == len(self.findings) else 1

    def text(self) -> str:
        """For people, without a line end at the end."""
        entries = [_entry(one) for one in self.findings if not one.problems]
        outcomes = [_outcome(one) for one in self.findings]
        counts = ", ".join(f"{outcomes.count(what)} {what}" for what in OUTCOMES if what in outcomes)
        waits = f"{len(self.waiting)} chosen cases wait for a label"
        dry = " Nothing was written (--dry_run)." if self.dry_run else ""
        return "\n".join([*_table(entries), f"{counts}; {waits}.{dry}"])

    def complaints(self) -> str:
        """What is wrong, a paragraph a file; for stderr."""
        lines = [f"{one.file.name}: refused\n  " + "\n  ".join(one.problems) for one in self.refused]
        return "\n".join(lines)

    def as_json(self) -> Entry:
        """For programs, in JSON's types."""
        entries = [_entry(one) for one in self.findings]
        return {
            "files": entries,
            "summary": _summary(one for one in entries if not one["problems"]),
            "waiting": self.waiting,
            "dry_run": self.dry_run,
        }


def write_reports(collected: Collected, store: RoundStore) -> None:
    """Add the cases of a call to the file beside the round that chose them.

    Args:
        collected: what was taken, or is there already.
        store: locked.
    """
    good = [one for one in collected.findings if _outcome(one) in ("taken", "there already")]
    for number in sorted({one.round_number for one in good if one.round_number is not None}):
        file = store.beside(number, COLLECTED)
        cases = _known(file) | {one.case: _entry(one) for one in good if one.round_number == number}
        about = {"round": number, "versions": versions_of()}
        files.write_json(file, {**about, "summary": _summary(cases.values()), "cases": cases})


def _known(file: Path) -> dict[str, Entry]:
    try:
        cases = json.loads(files.read_bytes(file))["cases"] if file.exists() else {}
    except (ValueError, KeyError, TypeError):
        files.back_up(file, file.with_suffix(".damaged"))
        return {}
    return dict(cases)


def _outcome(found: Finding) -> str:
    if found.problems:
        return "refused"
    if found.there:
        return "there already"
    return "taken" if found.begun else "not begun"


def _entry(found: Finding) -> Entry:
    about = {"case": found.case, "file": str(found.file), "sha256": found.sha256}
    effort = asdict(found.effort) if found.effort else None
    said = {"problems": found.problems, "warnings": found.warnings, "effort": effort}
    return {**about, "round": found.round_number, "outcome": _outcome(found), **said}


def _summary(entries: Iterable[Entry]) -> Entry:
    """Sums over the cases with a pre-label, and each class's mean Dice over those that have it."""
    efforts = [one["effort"] for one in entries if one["effort"] and one["outcome"] != "not begun"]
    names = list(efforts[0]["dice"]) if efforts else []
    dice = {
        name: [one["dice"][name] for one in efforts if one["dice"].get(name) is not None] for name in names
    }
    return {
        "cases_with_prelabel": len(efforts),
        "changed_voxels": sum(one["changed_voxels"] for one in efforts),
        "foreground_voxels": sum(one["foreground_voxels"] for one in efforts),
        "dice": {name: sum(values) / len(values) if values else None for name, values in dice.items()},
    }


def _table(entries: Sequence[Entry]) -> list[str]:
    summary = _summary(entries)
    rows = [("case", "", "changed", "of foreground", *(f"Dice {name}" for name in summary["dice"]), "")]
    rows += [_row(one) for one in entries]
    if summary["cases_with_prelabel"]:
        rows.append(("all", "", *_numbers(summary), ""))
    width = max(map(len, rows))
    padded = [(*row[:-1], *[""] * (width - len(row)), row[-1]) for row in rows]
    widths = [max(len(row[column]) for row in padded) for column in range(width)]
    lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in padded]
    return [line.rstrip() for line in lines] if entries else []


def _row(entry: Entry) -> tuple[str, ...]:
    if entry["outcome"] == "not begun":
        return (entry["case"], entry["outcome"], "; ".join(entry["warnings"]))
    numbers = _numbers(entry["effort"])
    return (entry["case"], entry["outcome"], *numbers, "; ".join(entry["warnings"]))


def _numbers(effort: Mapping[str, Any] | None) -> tuple[str, ...]:
    if effort is None:
        return ("no pre-label", "")
    changed, foreground = effort["changed_voxels"], effort["foreground_voxels"]
    share = f"{changed / foreground:.0%}" if foreground else "-"
    return (str(changed), share, *("-" if one is None else f"{one:.3f}" for one in effort["dice"].values()))
