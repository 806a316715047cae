"""ClaSP PE: every class has its turn, and the noise fades."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates, Choice
from nnunet_slpt.selection.strategies.clasp_pe import ClaspPE
from nnunet_slpt.selection.strategies.power_noise import power_noise

QUIET = {"beta_first": 1e6, "beta_last": 1e6}  # no noise to speak of
NAN = np.nan


def by_hand() -> dict[str, Any]:
    """Ten cases, three classes: class 1 in all cases, class 2 in cases 7 to 9, class 3 in none."""
    total = np.linspace(1, 0.1, 10, dtype=np.float32)
    classes = np.full((10, 3), NAN, np.float32)
    classes[:, 0] = np.roll(total, 3)  # highest in case 3, then 4, 5, …
    classes[7:, 1] = [0.2, 0.3, 0.1]
    return {"scores": {"entropy": total}, "class_entropy": classes}


def choose(given: Candidates, budget: int, seed: int = 0, **parameters: float) -> Choice:
    return ClaspPE(**{**QUIET, **parameters}).choose(given, budget, np.random.default_rng(seed))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_each_class_takes_its_own_and_the_rest_goes_by_the_total(
    seed: int, candidates: Callable[..., Candidates]
) -> None:
    given = candidates(10, **by_hand())
    choice = choose(given, 6, seed, class_share=0.67)  # 4 by class, two each
    assert set(choice.chosen[:4]) == {3, 4, 8, 7}
    assert choice.chosen[4:] == (0, 1)
    assert Counter(reason.split(",")[0] for reason in choice.reasons) == {
        "Among the least sure predictions where structure 1 is predicted": 2,
        "Among the least sure predictions where structure 2 is predicted": 2,
        "Among the least sure predictions in the whole case": 2,
    }


def test_classes_are_called_by_their_names(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand(), classes=("liver", "lesion", "cyst"))
    reasons = choose(given, 4, class_share=1).reasons
    assert {reason.split(",")[0] for reason in reasons} == {
        "Among the least sure predictions where liver is predicted",
        "Among the least sure predictions where lesion is predicted",
    }


def test_what_cannot_be_divided_goes_to_a_random_class(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand())
    choices = [set(choose(given, 3, seed, class_share=1).chosen) for seed in range(40)]
    assert {frozenset(choice) for choice in choices} == {frozenset({3, 4, 8}), frozenset({3, 8, 7})}


def test_what_a_class_cannot_take_goes_by_the_total(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand())
    chosen = choose(given, 8, class_share=1).chosen
    assert {7, 8, 9, 3, 4, 5, 6} < set(chosen)
    assert chosen[-1] == 0


def test_without_a_share_it_is_entropy(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand())
    assert choose(given, 4, class_share=0).chosen == (0, 1, 2, 3)


def test_without_a_predicted_class_it_is_entropy(candidates: Callable[..., Candidates]) -> None:
    nothing = {**by_hand(), "class_entropy": np.full((10, 3), NAN, np.float32)}
    assert choose(candidates(10, **nothing), 4).chosen == (0, 1, 2, 3)


def test_published_share_rounds_down(candidates: Callable[..., Candidates]) -> None:
    choice = choose(candidates(10, **by_hand()), 3)  # 0.66 * 3
    assert sum("structure" in reason for reason in choice.reasons) == 1


@pytest.mark.parametrize(
    ("round_number", "beta"), [(0, 1), (1, 1), (2, 100**0.25), (3, 10), (4, 100**0.75), (5, 100), (9, 100)]
)
def test_exponent_grows_exponentially_from_round_to_round(round_number: int, beta: float) -> None:
    assert ClaspPE().beta(round_number) == pytest.approx(beta)


def test_one_round_has_the_first_exponent() -> None:
    assert ClaspPE(rounds=1).beta(1) == 1


def test_noise_is_strong_first_and_weak_later(candidates: Callable[..., Candidates]) -> None:
    best = {0, 1, 2}

    def hits(round_number: int) -> int:
        given = candidates(10, **by_hand(), round_number=round_number)
        strategy = ClaspPE(class_share=0)
        chosen = [strategy.choose(given, 3, np.random.default_rng(seed)).chosen for seed in range(50)]
        return sum(len(best & set(rows)) for rows in chosen)

    assert hits(1) < 100 < 140 < hits(5)


def test_values_are_the_entropies_of_whole_cases_without_noise(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand())
    choice = choose(given, 6, beta_first=1, beta_last=1)
    np.testing.assert_array_equal(choice.values, given.scores["entropy"])


def test_the_choice_is_by_the_noisy_entropies(candidates: Callable[..., Candidates]) -> None:
    given = candidates(10, **by_hand())
    noisy = power_noise(given.scores["entropy"], 1, np.random.default_rng(3))
    chosen = choose(given, 4, seed=3, class_share=0, beta_first=1, beta_last=1).chosen
    assert chosen == tuple(np.argsort(-noisy)[:4])
    assert chosen != (0, 1, 2, 3)


def test_classes_and_total_have_noise_of_their_own(candidates: Callable[..., Candidates]) -> None:
    flat = np.ones(10, np.float32)
    alike = candidates(10, scores={"entropy": flat}, class_entropy=np.stack([flat, flat], 1))
    first = [choose(alike, 2, seed, class_share=1, beta_first=1, beta_last=1).chosen for seed in range(40)]
    assert len(set(first)) > 25
    assert all(len(set(rows)) == 2 for rows in first)
