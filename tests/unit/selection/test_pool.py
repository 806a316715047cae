"""Every case of a dataset is in exactly one group."""

import itertools
import random
from collections import Counter
from dataclasses import astuple
from pathlib import Path

import pytest

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.pool import Pool, divide


def case(name, labelled=False):
    return Case(name, (Path(f"{name}_0000.nii.gz"),), Path(f"{name}.nii.gz"), labelled)


UNLABELLED = [case(name) for name in "abcdef"]
LABELLED = [case("u", True), case("v", True)]
NONE = frozenset()


def split(cases=(*UNLABELLED, *LABELLED), **changes):
    settings = {
        "earlier_choices": (),
        "validation": NONE,
        "excluded": NONE,
        "skipped": NONE,
        "hide_labels": False,
        "partial": False,
    }
    return divide(cases, **(settings | changes))


def test_a_file_in_labels_decides_in_prospective_work():
    assert split() == Pool(tuple("abcdef"), ("u", "v"), (), (), (), ())


def test_a_choice_that_has_its_label_is_labelled():
    cases = [*UNLABELLED[1:], case("a", True)]
    assert split(cases, earlier_choices=["a"]) == Pool(tuple("bcdef"), ("a",), (), (), (), ())


def test_a_choice_without_label_stops_the_next_round():
    with pytest.raises(
        SelectionError,
        match=r"2 cases .*no label yet: a, c\..*--partial.*the same call without -n writes them",
    ):
        split(earlier_choices=["c", "u", "a"])


def test_of_many_waiting_cases_the_first_are_named():
    cases = [case(f"case_{number:02d}") for number in range(14)]
    with pytest.raises(SelectionError, match=r"13 cases .*: case_00, .*case_09 and 3 more\."):
        split(cases, earlier_choices=[one.name for one in cases[:13]])


def test_with_partial_they_go_on_waiting():
    pool = split(earlier_choices=["c", "u", "a"], partial=True)
    assert pool == Pool(tuple("bdef"), ("u", "v"), ("a", "c"), (), (), ())


def test_an_excluded_case_is_not_waited_for():
    assert split(earlier_choices=["a"], excluded=frozenset("a")).excluded == ("a",)


@pytest.mark.parametrize("hide_labels", [False, True])
def test_a_chosen_case_that_is_gone_can_be_excluded(hide_labels):
    cases = [case("a", True), *UNLABELLED[1:]]
    pool = split(cases, earlier_choices=["a", "x"], excluded=frozenset("x"), hide_labels=hide_labels)
    assert pool == Pool(tuple("bcdef"), ("a",), (), (), ("x",), ())


def test_hidden_labels_do_not_count():
    pool = split(earlier_choices=["v", "a", "v"], hide_labels=True)
    assert pool == Pool(("b", "c", "d", "e", "f", "u"), ("a", "v"), (), (), (), ())


def test_validation_cases_are_neither_chosen_nor_trained_with():
    pool = split(validation=frozenset("av"))
    assert pool == Pool(tuple("bcdef"), ("u",), (), ("a", "v"), (), ())


@pytest.mark.parametrize("hide_labels", [False, True])
def test_excluded_and_skipped_cases_are_in_no_other_group(hide_labels):
    pool = split(
        earlier_choices=["u", "v"],
        validation=frozenset("ab"),
        excluded=frozenset("cu"),
        skipped=frozenset("bcdv"),
        hide_labels=hide_labels,
    )
    assert pool == Pool(("e", "f"), (), (), ("a",), ("c", "u"), ("b", "d", "v"))


def test_every_case_is_in_exactly_one_group():
    roles = ("chosen", "validation", "excluded", "skipped", "labelled")
    cases, sets = [], {role: set() for role in roles}
    for number, present in enumerate(itertools.product([False, True], repeat=len(roles))):
        held = {role for role, there in zip(roles, present, strict=True) if there}
        if "validation" in held and held & {"chosen", "excluded"}:
            continue  # refused, see below
        cases.append(case(f"case_{number:02d}", "labelled" in held))
        for role in held:
            sets[role].add(cases[-1].name)
    groups = {role: frozenset(sets[role]) for role in ("validation", "excluded", "skipped")}
    for hide_labels in (False, True):
        pool = split(
            cases, earlier_choices=sorted(sets["chosen"]), **groups, hide_labels=hide_labels, partial=True
        )
        assert Counter(itertools.chain(*astuple(pool))) == Counter(one.name for one in cases)
        assert all(list(group) == sorted(group) for group in astuple(pool))


def test_the_order_of_cases_and_choices_does_not_matter():
    settings = {"validation": frozenset("f"), "excluded": frozenset("e"), "partial": True}
    cases, choices = [*UNLABELLED, *LABELLED], ["a", "b", "u"]
    expected = split(cases, earlier_choices=choices, **settings)
    for seed in range(5):
        random.Random(seed).shuffle(cases)
        random.Random(seed).shuffle(choices)
        assert split(cases, earlier_choices=choices, **settings) == expected


def test_a_chosen_case_that_is_gone_is_named():
    with pytest.raises(SelectionError, match=r"1 cases .*earlier rounds chose .*: x\. .*--exclude.*--undo"):
        split(earlier_choices=["a", "x"])


def test_a_validation_case_that_the_dataset_does_not_have_is_refused():
    with pytest.raises(
        SelectionError,
        match=r"splits_final\.json, or .* last round, names 1 case.* 'x'.*8 cases, a, b, c .*--val",
    ):
        split(validation=frozenset("ax"))


@pytest.mark.parametrize("hide_labels", [False, True])
def test_a_case_both_chosen_to_train_and_for_validation_is_refused(hide_labels):
    with pytest.raises(
        SelectionError, match=r"1 cases are for validation and chosen by an earlier round.*: a\."
    ):
        split(earlier_choices=["a"], validation=frozenset("ab"), hide_labels=hide_labels)


def test_a_case_both_excluded_and_for_validation_is_refused():
    with pytest.raises(SelectionError, match=r"for validation and to be excluded: b\."):
        split(excluded=frozenset("bc"), validation=frozenset("ab"))


def test_an_empty_pool_is_explained_by_the_counts():
    with pytest.raises(
        SelectionError, match=r"8 cases: 2 labelled, .*1 for validation, 5 excluded, 0 to choose"
    ):
        split(validation=frozenset("a"), excluded=frozenset("bcdef"))


def test_one_line_tells_the_counts():
    assert split(
        earlier_choices=["a"], validation=frozenset("bc"), excluded=frozenset("d"), partial=True
    ).counts() == (
        "8 cases: 2 labelled, 1 waiting for labels, 2 for validation, 1 excluded, 2 to choose from"
    )


def test_unreadable_cases_are_told_of_where_there_are_some():
    counts = split(skipped=frozenset("ab")).counts()
    assert counts.endswith("0 excluded, 2 unreadable, 4 to choose from")
