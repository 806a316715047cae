"""A round and its file: the same round gives the same bytes, and a changed byte is noticed."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnunet_slpt.errors import FileError, SelectionError
from nnunet_slpt.selection.rounds import Replaced, Round, ScoredCase, plain, read_round, round_text

ROUND = Round(
    number=1,
    mode="prospective",
    seed=7,
    strategy="uncertainty",
    parameters={"aggregation": "rim", "share": np.float32(0.1), "stages": (1, 2)},
    budget_cases=2,
    versions={"nnunet_slpt": "0.1"},
    model={"folder": Path("results/my model"), "checkpoints": ("fold_0",), "sha256": "ab"},
    settings={"step_size": 0.5, "mirroring": np.bool_(True), "none": None},
    validation=("v2", "v1"),
    excluded=("x",),
    labelled_before=("Fall ä",),
    cases=(
        ScoredCase(name="c", rank=3, chosen=False, value=np.float32("nan"), scores={"entropy": np.inf}),
        ScoredCase(
            name="b ü", rank=1, chosen=True, value=np.float32(0.3), scores={"a": 0.1}, reason="größte"
        ),
        ScoredCase(name="a", rank=np.int64(2), chosen=np.bool_(True), value=1, reason='"unsure", very'),
    ),
    previous="cd",
    split=Replaced(sha256="12", backup="b.json", backup_sha256="34"),
    worklist=Replaced(sha256="56"),
)


class InMemory:
    """As a path to a file."""

    def __init__(self, content):
        self.open = lambda mode: io.BytesIO(content)
        self.read_bytes = lambda: content

    def __str__(self):
        return "round_01.json"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "round_01.json").write_text(round_text(ROUND), encoding="utf-8")
    return tmp_path / "round_01.json"


def test_it_comes_back(file):
    assert read_round(file)[0] == ROUND


def test_its_file_is_ascii_json_with_one_line_a_case(file):
    text = file.read_bytes().decode("ascii")
    assert json.loads(text)["cases"][2] == {
        "name": "c",
        "rank": 3,
        "chosen": False,
        "value": None,
        "scores": {"entropy": None},
        "reason": "",
    }
    assert sum('"rank"' in line for line in text.splitlines()) == 3


def test_the_order_of_what_comes_in_does_not_matter():
    other = replace(ROUND, cases=ROUND.cases[::-1], validation=("v1", "v2", "v1"))
    assert round_text(other) == round_text(ROUND)


def test_chosen_cases_are_in_the_order_of_their_ranks():
    assert ROUND.chosen == ("b ü", "a")


def refused(content):
    """Whether a file with this content is refused; it need not be on the disk for that."""
    try:
        read_round(InMemory(content))
    except SelectionError as error:
        return "round_01.json" in str(error)
    return False


def test_any_changed_byte_is_noticed(file):
    content = file.read_bytes()
    assert not refused(content)
    for place, byte in enumerate(content):
        for other in {0x20, 0x31, byte ^ 1, byte ^ 0x80} - {byte}:
            assert refused(content[:place] + bytes([other]) + content[place + 1 :]), place


def test_any_missing_or_doubled_byte_is_noticed(file):
    content = file.read_bytes()
    for place in range(len(content)):
        assert refused(content[:place] + content[place + 1 :]), place
        assert refused(content[: place + 1] + content[place:]), place


def test_a_cut_file_is_noticed(file):
    content = file.read_bytes()
    assert all(refused(content[:length]) for length in range(len(content)))


@pytest.mark.parametrize("content", ["", "[]", "null", "1", '{"format_version": 1}', "[" * 100_000])
def test_another_file_is_refused(file, content):
    file.write_text(content)
    with pytest.raises(SelectionError, match="no round file"):
        read_round(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"round_09\.json cannot be read"):
        read_round(tmp_path / "round_09.json")


def test_a_later_format_asks_for_an_update(file):
    file.write_text(json.dumps({"format_version": 2, "rounds": []}))
    with pytest.raises(SelectionError, match=r"format version 2, expected 1.*pip install --upgrade"):
        read_round(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mode": "both"}, "unknown mode 'both'; known: prospective, hide_labels"),
        ({"budget_cases": 3}, "chose 2 cases of a budget of 3"),
        ({"validation": ("a",)}, r"1 case\(s\) both in the pool and in 'validation': a"),
        ({"excluded": ("c",)}, "'excluded': c"),
        ({"labelled_before": ("b ü",)}, "'labelled_before': b ü"),
        ({"cases": (*ROUND.cases, replace(ROUND.cases[0], rank=4))}, "4 cases with 3 names"),
        ({"cases": (*ROUND.cases, ScoredCase(name="d", rank=5, chosen=False))}, "each rank from 1 to 4"),
        ({"cases": [replace(case, rank=case.rank - 1) for case in ROUND.cases]}, "each rank from 1 to 3"),
    ],
)
def test_a_round_that_cannot_be_is_refused(change, words):
    with pytest.raises(SelectionError, match=words):
        replace(ROUND, **change)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), None),
        (-np.inf, None),
        (np.int8(3), 3),
        (np.bool_(False), False),
        (np.array([[1.5, np.nan]]), [[1.5, None]]),
        ({1: (True, "ä", np.str_("b"))}, {"1": [True, "ä", "b"]}),
        (Path("a/b"), "a/b"),
    ],
)
def test_values_become_json(value, expected):
    got = plain(value)
    assert got == expected
    assert json.loads(json.dumps(got, allow_nan=False)) == expected


def test_what_json_does_not_know_is_named():
    with pytest.raises(TypeError, match="set"):
        plain({"a": {1}})
