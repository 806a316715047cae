"""What is said of labels, and that good ones are passed over."""

from __future__ import annotations

from typing import Any

import pytest

from nnunet_slpt.doctor.labels import (
    empty_labels,
    few_labels,
    shifted_labels,
    unseen_classes,
    unusable_labels,
)

LABELS = {"background": 0, "organ": 1, "lesion": 2}


def drawn(look: Any, *values: set[int]) -> list[Any]:
    return [look(f"case_{i}", values=frozenset(map(float, some))) for i, some in enumerate(values)]


@pytest.mark.parametrize("check", [unusable_labels, shifted_labels, few_labels, empty_labels, unseen_classes])
def test_nothing_is_said_of_good_labels(examined: Any, look: Any, check: Any) -> None:
    looks = drawn(look, *[{0, 1, 2}] * 5)
    assert list(check(examined(looks, labels=LABELS))) == []


@pytest.mark.parametrize("check", [unusable_labels, shifted_labels, few_labels, empty_labels, unseen_classes])
def test_nothing_is_said_where_there_are_none(examined: Any, look: Any, check: Any) -> None:
    assert list(check(examined([look(labelled=False)]))) == []


def test_unusable_labels_are_an_error_with_their_problems(examined: Any, look: Any) -> None:
    looks = [look("good"), look("bad", label_problems=("it is small.", "it is 7."))]
    (found,) = unusable_labels(examined(looks))
    assert found.level == "error"
    assert found.text.endswith("1 of 2 cannot be used:\n    bad: it is small. it is 7.")


def test_labels_that_lie_elsewhere_are_a_warning_as_in_nnunet(examined: Any, look: Any) -> None:
    looks = [look("good"), look("bad", label_shift="the origin is 1, 0, 0, expected 0, 0, 0")]
    (found,) = shifted_labels(examined(looks))
    assert found.level == "warning"
    assert "1 of 2 lie elsewhere" in found.text
    assert found.text.endswith("bad: the origin is 1, 0, 0, expected 0, 0, 0.")


def test_one_label_is_too_few(examined: Any, look: Any) -> None:
    (found,) = few_labels(examined([look(), look(labelled=False)]))
    assert found.level == "error"
    assert "nnunet_slpt_select -d " in found.remedy
    assert " -n 1 -strategy kmeans -m " in found.remedy


def test_too_few_for_folds_are_a_note(examined: Any, look: Any) -> None:
    (found,) = few_labels(examined([look(), look()]))
    assert found.level == "note"
    assert "fold all" in found.remedy


def test_some_empty_labels_are_a_warning(examined: Any, look: Any) -> None:
    (found,) = empty_labels(examined(drawn(look, {0, 1}, {0})))
    assert found.level == "warning"
    assert found.text == "1 of 2 are empty, nothing but background: case_1."


def test_nothing_but_empty_labels_is_an_error(examined: Any, look: Any) -> None:
    (found,) = empty_labels(examined(drawn(look, {0}, {0})))
    assert found.level == "error"


def test_the_ignore_label_is_nothing_drawn(examined: Any, look: Any) -> None:
    labels = LABELS | {"ignore": 3}
    assert list(empty_labels(examined(drawn(look, {0, 3}), labels=labels)))


def test_a_class_that_nobody_drew(examined: Any, look: Any) -> None:
    (found,) = unseen_classes(examined(drawn(look, {0, 1}, {0}), labels=LABELS))
    assert found.level == "warning"
    assert "no label holds lesion" in found.text


def test_a_region_is_seen_by_any_of_its_values(examined: Any, look: Any) -> None:
    regions = {"background": 0, "whole": [1, 2], "core": [2]}
    looks = drawn(look, {0, 1})
    found = examined(looks, labels=regions)
    vars(found.target)["dataset_json"] = found.target.dataset_json | {"regions_class_order": [1, 2]}
    assert [one.text.partition(":")[0] for one in unseen_classes(found)] == ["no label holds core"]
