"""The worklist: what comes out is what went in, whatever the names hold."""

import csv
import io
from pathlib import Path

import pytest
from some_rounds import round_of

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.rounds import ScoredCase
from nnunet_slpt.selection.worklist import worklist_text

NAMES = ["Fall ä, 2", 'the "odd" one', "two\nlines", "plain", "left"]
CASES = {
    name: Case(
        name,
        (Path(f"im/{name}_0000.nii.gz"), Path(f"im/{name}_0001.nii.gz")),
        Path(f"labelsTr/{name}.nii.gz"),
        labelled=False,
    )
    for name in NAMES
}


def a_round(values):
    return round_of(
        cases=tuple(
            ScoredCase(name=name, rank=rank, chosen=name != "left", value=value, reason=f"because, {name}")
            for rank, (name, value) in enumerate(zip(NAMES, values, strict=True), start=1)
        )
    )


def test_every_chosen_case_comes_back():
    rows = list(
        csv.DictReader(io.StringIO(worklist_text(a_round([1 / 3, None, 1e-9, 2, 0]), CASES), newline=""))
    )
    assert [row["case"] for row in rows] == NAMES[:-1]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["value"] for row in rows] == ["0.333333", "", "1e-09", "2"]
    for row in rows:
        assert row["images"].split("; ") == [str(image) for image in CASES[row["case"]].images]
        assert row["label_file"] == str(CASES[row["case"]].label)
        assert row["reason"] == f"because, {row['case']}"


def test_a_case_that_the_dataset_has_not_is_named():
    rest = {name: case for name, case in CASES.items() if name != "plain"}
    with pytest.raises(SelectionError, match="chose 'plain', which is none of the 4 cases"):
        worklist_text(a_round([1, 1, 1, 1, 1]), rest)
