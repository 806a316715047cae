"""Where a dataset stands: the numbers add up, and the advice fits."""

import json
from dataclasses import replace

import pytest
from some_rounds import round_of

from nnunet_slpt.selection.rounds import ScoredCase
from nnunet_slpt.selection.splits import Fold
from nnunet_slpt.selection.status import status_of

POOL = [f"Fall {number:02d}" for number in range(40)]


def a_round(number, names, mode="prospective"):
    cases = (ScoredCase(name=name, rank=rank, chosen=True) for rank, name in enumerate(names, start=1))
    return round_of(number=number, mode=mode, strategy=f"s{number}", cases=tuple(cases))


def one_fold(train, val):
    return [Fold(tuple(train), tuple(val))]


ROUNDS = [a_round(0, POOL[5:0:-1]), a_round(1, POOL[6:20])]


def test_the_numbers_add_up():
    status = status_of(
        ROUNDS, labelled=[*POOL[1:4], "before", POOL[39]], pool=POOL, folds=one_fold([], [POOL[39]])
    )
    assert status.waiting == (POOL[5], POOL[4], *POOL[6:20])
    assert [(one.chosen, one.waiting) for one in status.rounds] == [(5, 2), (14, 14)]
    assert (status.labelled, status.validation) == (4, 1)
    assert status.left == len(POOL) - 5 - 14 - 1
    assert status.labelled + len(status.waiting) + status.validation + status.left == len(POOL) + len(
        ["before"]
    )


def test_a_case_that_is_gone_does_not_wait():
    status = status_of(ROUNDS, POOL[2:6], POOL[2:], [])
    assert status.gone == (POOL[1],)
    assert [one.waiting for one in status.rounds] == [0, 14]
    assert POOL[1] not in status.waiting
    assert "No longer in the dataset: 1 (Fall 01); put the images back, or" in status.text()
    assert "No longer" not in status_of(ROUNDS, [], POOL, []).text()


def test_what_was_left_out_for_good_is_not_asked_for_again():
    """One case that cannot be annotated, and one whose patient withdrew."""
    rounds = [ROUNDS[0], replace(ROUNDS[1], excluded=(POOL[1], POOL[2]))]
    status = status_of(rounds, POOL[3:20], POOL[2:], [])
    assert (status.waiting, status.gone) == ((), ())
    assert [one.waiting for one in status.rounds] == [0, 0]
    assert status.next_step.startswith("Preprocess")


def test_the_order_of_names_does_not_matter():
    one = status_of(ROUNDS, POOL[3:9], POOL, one_fold(POOL[3:5], POOL[38:]))
    assert one == status_of(ROUNDS, POOL[8:2:-1], POOL[::-1], one_fold(POOL[4:2:-1], POOL[:37:-1]))


def test_some_of_the_waiting_cases_are_shown():
    text = status_of(ROUNDS, [], POOL, []).text()
    assert "Waiting for labels: 19 (Fall 05, Fall 04, Fall 03, Fall 02, Fall 01, Fall 06, " in text
    assert "Fall 10 and 9 more)" in text
    assert "Fall 11" not in text


def test_ten_waiting_cases_are_all_shown():
    text = status_of([a_round(0, POOL[:10])], [], POOL, []).text()
    assert "Fall 09)" in text
    assert "more" not in text


def test_the_rounds_are_told():
    text = status_of([a_round(0, POOL[:1]), a_round(1, POOL[1:3], "hide_labels")], POOL[:2], POOL, []).text()
    assert "Round 0: 1 case chosen by s0\n" in text
    assert "Round 1: 2 cases chosen by s1, 1 without label (labels hidden)\n" in text
    assert "Left in the pool: 37\n" in text


@pytest.mark.parametrize(
    ("rounds", "labelled", "pool", "advice"),
    [
        ([], [], POOL, "Choose the first cases: nnunet_slpt_select"),
        ([], POOL[:1], POOL, "-m MODEL_FOLDER -strategy kmeans"),
        ([], POOL[:2], POOL, "kmeans; or train fold all, then choose with the tuned model: nnunet_slpt_sel"),
        (ROUNDS, [], POOL, "Label what waits, 19 cases (to_annotate.csv"),
        (ROUNDS, POOL[:20], POOL, "then choose the next"),
        (ROUNDS, POOL, POOL, "Every case is labelled, nothing is left to choose: preprocess"),
        ([], POOL, POOL, "Every case is labelled, nothing is left to choose: preprocess"),
        (ROUNDS, [], POOL[:20], "Label what waits, 19 cases"),
    ],
)
def test_it_says_what_to_do_next(rounds, labelled, pool, advice):
    status = status_of(rounds, labelled, pool, [])
    assert advice in status.next_step
    assert status.text().endswith(f"Next: {status.next_step}")


def test_a_validation_case_without_label_is_told_before_a_training_fails():
    status = status_of(ROUNDS, POOL[:39], POOL, one_fold(POOL[:38], POOL[38:]))
    assert status.unlabelled_validation == (POOL[39],)
    assert "Validation: 2, 1 without label (Fall 39)\n" in status.text()
    assert status.next_step.startswith("Label the validation cases, take the labels in")


def test_hidden_labels_are_there_to_validate_with():
    hidden = [replace(one, mode="hide_labels") for one in ROUNDS]
    status = status_of(hidden, POOL[1:20], POOL, one_fold(POOL[1:20], POOL[39:]))
    assert status.unlabelled_validation == ()
    assert status.next_step.startswith("Preprocess what is new")


def test_without_rounds_it_says_so():
    assert status_of([], [], POOL, []).text().startswith("No round yet\nLabelled: 0\n")


@pytest.mark.parametrize(
    ("pool", "remedy"),
    [
        (POOL, "fold all trains on these too; the next round takes them in\n"),
        (POOL[:20], "fold all trains on these too\n"),
    ],
)
def test_labels_that_no_round_chose_are_told_where_they_train(pool, remedy):
    status = status_of(ROUNDS, POOL[:20], pool, one_fold(POOL[1:19], POOL[19:20]))
    assert status.in_no_fold == (POOL[0],)
    assert f"In no fold with a number: 1 (Fall 00); {remedy}" in status.text()


def test_without_a_split_file_nnunet_takes_all_labels():
    assert status_of(ROUNDS, POOL[:20], POOL, []).in_no_fold == ()


def test_an_excluded_case_is_missed_in_no_fold():
    excluding = [ROUNDS[0], replace(ROUNDS[1], excluded=(POOL[0],))]
    assert status_of(excluding, POOL[:20], POOL, one_fold(POOL[1:19], POOL[19:20])).in_no_fold == ()


def test_an_excluded_case_is_not_left_to_choose():
    excluding = [ROUNDS[0], replace(ROUNDS[1], excluded=(POOL[0], *POOL[20:39]))]
    assert status_of(excluding, [], POOL, []).left == 1


def test_programs_get_all_of_it():
    status = status_of(ROUNDS, POOL[:3], POOL, one_fold([], POOL[39:]))
    about = status.as_json()
    assert json.loads(json.dumps(about)) == about
    assert about["waiting"] == list(status.waiting)  # all, not ten
    assert about["rounds"][0] == {
        "number": 0,
        "strategy": "s0",
        "mode": "prospective",
        "chosen": 5,
        "waiting": 3,
    }
    assert about["in_no_fold"] == POOL[:3]
    counts = {"labelled", "validation", "unlabelled_validation", "waiting", "gone", "in_no_fold", "left"}
    assert about.keys() == counts | {"rounds", "next_step"}
