"""Split files and lists of names: what is read, what is refused, and what a split made here holds to."""

import json

import pytest
from batchgenerators.utilities.file_and_folder_operations import load_json, save_json

from nnunet_slpt.errors import FileError, SelectionError
from nnunet_slpt.selection import splits
from nnunet_slpt.selection.splits import (
    Fold,
    check_known,
    fixed_validation,
    make_split,
    read_names,
    read_split,
    spelled_as,
    split_text,
)

CASES = ("Fall ä", "b, 2", "case_003", "case_004", "d", "e", "f", "g")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "splits final.json"


def write(file, content):
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize("number", range(2, 9))
def test_folds_partition_the_cases(number):
    names = CASES[:number]
    folds = make_split(names, (), seed=3)
    assert len(folds) == min(5, number)
    assert sorted(name for fold in folds for name in fold.val) == sorted(names)
    for fold in folds:
        assert {*fold.train} | {*fold.val} == {*names}
        assert len(fold.train) >= 2
        assert fold.val
        assert number == 2 or not {*fold.train} & {*fold.val}
        assert (list(fold.train), list(fold.val)) == (sorted(fold.train), sorted(fold.val))


@pytest.mark.parametrize("number", range(2, 9))
def test_a_split_does_not_depend_on_order_but_on_the_seed(number):
    names = CASES[:number]
    assert make_split(names, (), 3) == make_split([*reversed(names), names[0]], (), 3)
    if number > 2:
        assert len({split_text(make_split(names, (), seed)) for seed in range(20)}) > 1


def test_fixed_validation_cases_make_one_fold():
    assert make_split(("c", "a", "v2", "b"), ("v2", "v1"), 0) == [Fold(("a", "b", "c"), ("v1", "v2"))]


@pytest.mark.parametrize(
    ("labelled", "validation"), [((), ()), (("a",), ()), (("a",), ("v",)), (("a", "v"), ("v",))]
)
def test_fewer_than_two_training_cases_are_refused(labelled, validation):
    with pytest.raises(SelectionError, match=r"labelled case\(s\) to train on.*expected 2 or more"):
        make_split(labelled, validation, 0)


@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("validation", [(), ("v 1", "ü")])
def test_what_it_writes_it_reads_and_is_nnunets(tmp_path, file, number, validation):
    folds = make_split(CASES[:number], validation, 0)
    write(file, split_text(folds))
    assert read_split(file) == folds
    assert fixed_validation(folds) == {*validation}
    # nnUNetTrainer.do_split reads and writes it with these.
    save_json(load_json(str(file)), str(tmp_path / "nnunet.json"))
    assert (tmp_path / "nnunet.json").read_bytes() == file.read_bytes()


def test_validation_cases_are_fixed_if_every_fold_has_them():
    assert fixed_validation([Fold(("a",), ("b", "c"))]) == {"b", "c"}
    assert fixed_validation([Fold(("a",), ("b", "c")), Fold(("b",), ("a", "c"))]) == {"c"}
    assert fixed_validation([Fold(("a", "b"), ("a",)), Fold(("a", "b"), ("b",))]) == frozenset()
    assert fixed_validation([]) == frozenset()


GOOD = {"train": ["a", "b"], "val": ["c"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("[{", "no JSON"),
        (GOOD, "holds a dict"),
        ([], "an empty list"),
        ([GOOD, ["a"]], "Fold 1 of .* is a list"),
        ([GOOD, {"train": ["a"], "test": []}], "Fold 1 of .* has no 'val' but keys train, test"),
        ([{}], "no 'train' but keys none"),
        ([{"train": "ab", "val": []}], "'train' of Fold 0 .* no list of names"),
        ([{"train": ["a"], "val": [1]}], "'val' of Fold 0 .* no list of names"),
        ([{"train": [""], "val": []}], "no list of names"),
        ([{"train": ["a", "b", "a"], "val": []}], r"1 case\(s\) twice: a\."),
        (
            [GOOD, {"train": ["a", "b", "c"], "val": ["d", "c", "b"]}],
            r"Fold 1 .* 2 case\(s\) both .*: b, c\.",
        ),
        ([{"train": ["a", "b"], "val": ["a"]}], "both in 'train' and 'val': a"),
        ([{"train": ["a", "b"], "val": ["a"]}] * 2, "both in 'train' and 'val': a"),
        ([{"train": ["a", "b", "c"], "val": [name]} for name in "abc"], "both in 'train' and 'val': a"),
    ],
)
def test_a_split_that_is_not_nnunets_is_refused(file, content, words):
    with pytest.raises(SelectionError, match=words) as error:
        read_split(write(file, content))
    assert str(file) in str(error.value)


def test_bytes_that_are_no_text_are_refused(file):
    file.write_bytes(b"\xff\xfe\0")
    with pytest.raises(SelectionError, match="UTF-8"):
        read_split(file)


def test_a_missing_split_is_named(file):
    with pytest.raises(FileError, match=r"splits final\.json cannot be read"):
        read_split(file)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '["d", "Fall ä", "b, 2"]'),
        ("a.json", '\ufeff["d", "Fall ä", "b, 2"]'),
        ("a.txt", '\n ["d", "Fall ä", "b, 2"]'),
        ("a.txt", 'd\nFall ä\n"b, 2"'),
        ("a.csv", '\ufeff# who\r\nd\r\n\r\n   \n  # x\nFall ä  \n"b, 2"\n'),
    ],
)
def test_names_are_read(tmp_path, name, content):
    assert read_names(write(tmp_path / name, content), CASES) == ("Fall ä", "b, 2", "d")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "names no case"),
        ("# nothing\n", "names no case"),
        ("[]", "names no case"),
        ('{"val": ["d"]}', "does not list names"),
        ('["d", 1]', "does not list names"),
        ('["d"', "no JSON"),
        ("d,e\n", "2 columns, 'd, e'"),
        ('"d', "no CSV"),
        ("d\ne\nd\n", r"1 case\(s\) twice: d"),
        ("case_03\n", r"'case_03' \(did you mean 'case_003'\?\).*8 cases"),
        ("quite different\n", r"'quite different'\. It has 8 cases"),
    ],
)
def test_other_lists_are_refused(tmp_path, content, words):
    file = write(tmp_path / "names.csv", content)
    with pytest.raises(SelectionError, match=words) as error:
        read_names(file, CASES)
    assert str(file) in str(error.value)


def test_of_many_unknown_names_a_few_are_shown(monkeypatch):
    looked_for = []
    monkeypatch.setattr(splits.difflib, "get_close_matches", lambda name, *_, **__: looked_for.append(name))
    with pytest.raises(SelectionError, match=r"--val names 9 case.* and 4 more\."):
        check_known([f"x{number}" for number in range(9)], {"a"}, "--val")
    assert looked_for == ["x0", "x1", "x2", "x3", "x4"]  # it is slow


def test_an_umlaut_in_two_parts_is_the_same_name(tmp_path):
    whole, parts = "M\u00fcller", "Mu\u0308ller"
    assert read_names(write(tmp_path / "names.txt", f"{parts}\n"), {whole, "Miller"}) == (whole,)
    assert spelled_as(parts, {whole, parts}) == parts
    assert spelled_as(parts, {"Muller"}) == parts
