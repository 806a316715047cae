"""Power noise: the probabilities are those of the power law."""

from __future__ import annotations

import numpy as np
import pytest

from nnunet_slpt.selection.strategies.power_noise import power_noise

SCORES = np.array([1, 2, 4, 0.5], np.float32)


@pytest.mark.parametrize("beta", [0.5, 1, 3])
def test_highest_is_drawn_by_the_power_of_its_score(beta: float) -> None:
    rng, draws = np.random.default_rng(0), 8000
    first = [power_noise(SCORES, beta, rng).argmax() for _ in range(draws)]
    expected = draws * SCORES**beta / (SCORES**beta).sum()
    chi_squared = ((np.bincount(first, minlength=4) - expected) ** 2 / expected).sum()
    assert chi_squared < 16.3  # the 99.9 % quantile for 3 degrees of freedom


def test_large_exponent_leaves_the_ranking() -> None:
    noisy = power_noise(SCORES, 1e6, np.random.default_rng(0))
    np.testing.assert_allclose(noisy, np.log(SCORES), atol=1e-3)


def test_zero_is_finite_and_nan_stays() -> None:
    noisy = power_noise(np.array([0, -1e-9, np.nan, 1], np.float32), 1, np.random.default_rng(0))
    assert np.isfinite(noisy).tolist() == [True, True, False, True]
    assert noisy[:2].max() < noisy[3] - 30


def test_draws_do_not_depend_on_the_scores() -> None:
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    power_noise(SCORES, 1, one)
    power_noise(np.full(4, np.nan), 2, other)
    assert one.random() == other.random()
