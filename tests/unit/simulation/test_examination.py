"""Cases are looked into once, and again only if one of their files is written to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation import examination
from nnunet_slpt.simulation.source import Source

CASES = "abcd"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    cases = {}
    for name in CASES:
        image, spacing, label = (
            tmp_path / file for file in (f"{name}_0000.tif", f"{name}.json", f"{name}.tif")
        )
        for file in (image, spacing, label):
            file.write_text("as it was")
        cases[name] = Case(name, (image,), label, labelled=True)
    return Source(tmp_path, cases, ("a", "b"), ("d",))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cases that were looked into; whose label is "bad" cannot be used."""
    names: list[str] = []

    def find_problems(cases: Sequence[Case], *_: Any) -> dict[str, str]:
        names.extend(case.name for case in cases)
        return {case.name: "it is bad" for case in cases if case.label.read_text() == "bad"}

    monkeypatch.setattr(examination, "find_problems", find_problems)
    return names


def look(source: Source, folder: Path, asked: list[str]) -> list[str]:
    asked.clear()
    examination.examine(source, None, 1, folder / "examined", print)  # type: ignore[arg-type]
    return list(asked)


def test_those_that_choose_train_or_judge_are_looked_into_once(
    source: Source, tmp_path: Path, asked: list[str]
) -> None:
    assert look(source, tmp_path, asked) == ["a", "b", "d"]
    assert look(source, tmp_path, asked) == []


@pytest.mark.parametrize("changed", ["b_0000.tif", "b.json", "b.tif"])
def test_a_changed_file_is_noticed(source: Source, tmp_path: Path, asked: list[str], changed: str) -> None:
    look(source, tmp_path, asked)
    (tmp_path / changed).write_text("as it is now")
    assert look(source, tmp_path, asked) == ["b"]


def test_what_was_refused_is_looked_into_again_and_nothing_else(
    source: Source, tmp_path: Path, asked: list[str]
) -> None:
    source.cases["d"].label.write_text("bad")
    for again in (["a", "b", "d"], ["d"]):
        with pytest.raises(SimulationError, match=r"1 case\(s\) cannot be used:\n  d: it is bad"):
            look(source, tmp_path, asked)
        assert asked == again
    source.cases["d"].label.write_text("corrected")
    assert look(source, tmp_path, asked) == ["d"]
    assert look(source, tmp_path, asked) == []
