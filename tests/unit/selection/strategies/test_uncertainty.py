"""Prompt-based uncertainty: the two parts and what is made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates
from nnunet_slpt.selection.strategies.uncertainty import PARTS, Uncertainty, prompt_uncertainty

INTER = np.array([0.1, 0.4, 0.2, 0.0], np.float32)
INTRA = np.array([0.9, 0.2, 0.5, 3.0], np.float32)


@pytest.mark.parametrize(
    ("part", "order", "values"),
    [
        ("inter_prompt", (1, 2, 0, 3), INTER),
        ("intra_prompt", (3, 0, 2, 1), INTRA),
        ("product", (2, 0, 1, 3), [0.09, 0.08, 0.1, 0]),
        ("sum", (3, 0, 2, 1), [1, 0.6, 0.7, 3]),
    ],
)
def test_by_hand(
    part: str, order: tuple[int, ...], values: list[float], candidates: Callable[..., Candidates]
) -> None:
    given = candidates(4, scores={"inter_prompt": INTER, "intra_prompt": INTRA})
    choice = Uncertainty(part).choose(given, 4, np.random.default_rng(0))
    assert choice.chosen == order
    np.testing.assert_allclose(choice.values, values, rtol=1e-6)
    assert choice.reasons[0] == f"Rank 1 of 4 by {PARTS[part]}"
    assert choice.reasons[3].startswith("Rank 4 of 4 by ")


@pytest.mark.parametrize("part", PARTS)
def test_is_a_copy(part: str) -> None:
    scores = {"inter_prompt": INTER.copy(), "intra_prompt": INTRA.copy()}
    assert not any(np.shares_memory(prompt_uncertainty(scores, part), score) for score in scores.values())


def test_the_sum_is_the_entropy_of_the_mean_prediction() -> None:
    """If intra-prompt is the mean entropy of the single predictions."""
    predictions = np.random.default_rng(0).dirichlet(np.ones(4), (3, 10))  # (K, cases, C)
    mean = predictions.mean(0)
    inter = (predictions * np.log(predictions / mean)).sum(-1).mean(0)
    intra = -(predictions * np.log(predictions)).sum(-1).mean(0)
    total = prompt_uncertainty({"inter_prompt": inter, "intra_prompt": intra}, "sum")
    np.testing.assert_allclose(total, -(mean * np.log(mean)).sum(-1), rtol=1e-5)
