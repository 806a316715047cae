"""The labelled dataset that a simulation plays with: who may be chosen and who judges.

Reads names alone. Must not import torch.
"""

__all__ = ["Source", "read_source"]

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunet_slpt.datasets import Case, dataset_folder, read_cases, read_dataset_json
from nnunet_slpt.errors import SelectionError, SimulationError, some
from nnunet_slpt.selection.budget import parse_budget
from nnunet_slpt.selection.splits import read_names

FEWEST_TEST_CASES = 2
SEED_OF_TEST = 20230809  # one division of a dataset, whatever the seeds of the campaigns


@dataclass(frozen=True)
class Source:
    """A labelled dataset, divided.

    Args:
        folder: of the raw dataset.
        cases: all by name.
        pool: names of those that may be chosen.
        test: names of those that judge.
    """

    folder: Path
    cases: dict[str, Case]
    pool: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def dataset_json(self) -> dict[str, Any]:
        """Of the raw dataset."""
        return read_dataset_json(self.folder)


def read_source(dataset: str, test: str, pool: Path | None) -> Source:
    """Read a dataset and divide it.

    Args:
        dataset: name or number, as nnU-Net's ``-d``.
        test: a file with the names of the test cases; or a number or percentage of the labelled cases, but
            for those in ``pool``, to be drawn once for all campaigns.
        pool: a file with the names of those that may be chosen; ``None`` takes all labelled cases but the
            test cases.

    Raises:
        SLPTError: the dataset cannot be read; a case has no label, or is on both sides; too few are left.
    """
    folder = dataset_folder(dataset)
    cases = {case.name: case for case in read_cases(folder, hide_labels=False)}
    labelled = [name for name, case in cases.items() if case.labelled]
    named = read_names(pool, cases) if pool else ()
    judges = _judges(test, [name for name in labelled if name not in named], cases)
    candidates = named or tuple(name for name in labelled if name not in judges)
    both = sorted({*judges} & {*candidates})
    if both:
        raise SimulationError(
            f"{len(both)} cases are in the pool and among the test cases: {some(both)}. Expected each on "
            "one side; what is tested must not be trained on."
        )
    unlabelled = [name for name in (*candidates, *judges) if name not in {*labelled}]
    if unlabelled:
        raise SimulationError(
            f"{len(unlabelled)} cases have no label: {some(unlabelled)}. A simulation needs all labels: put "
            f"them into {folder / 'labelsTr'}, or leave the cases out (--pool, --test)."
        )
    return Source(folder, cases, tuple(sorted(candidates)), judges)


def _judges(test: str, free: Sequence[str], cases: dict[str, Case]) -> tuple[str, ...]:
    if Path(test).is_file():
        judges = read_names(Path(test), cases)
    else:
        try:
            number = parse_budget(test, len(free))
        except SelectionError as error:
            raise SimulationError(
                f"--test is {test}: no file of that name, and no number of the {len(free)} labelled cases "
                "that are not in --pool, such as 20 or 20%."
            ) from error
        judges = tuple(sorted(random.Random(SEED_OF_TEST).sample(sorted(free), number)))
    if len(judges) < FEWEST_TEST_CASES:
        raise SimulationError(
            f"--test {test} gives {len(judges)} test case(s), expected {FEWEST_TEST_CASES} or more: a file "
            "with their names, a number, or a percentage of the labelled cases."
        )
    return judges
