"""Candidates to choose from, made from a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnunet_slpt.selection.strategies import Candidates


def make_candidates(cases: int = 30, seed: int = 0, labelled: int = 3, **changes: Any) -> Candidates:
    """All that any strategy may ask for; ``changes`` replace it."""
    rng = np.random.default_rng(seed)
    scores = ("inter_prompt", "intra_prompt", "entropy", "prompt_dice")
    class_entropy = rng.random((cases, 3), np.float32)
    class_entropy[rng.random((cases, 3)) < 0.3] = np.nan
    arrays: dict[str, Any] = {
        "features": rng.standard_normal((cases, 6), np.float32),
        "labelled_features": rng.standard_normal((labelled, 6), np.float32),
        "scores": {name: rng.random(cases, np.float32) for name in scores},
        "class_entropy": class_entropy,
        "foreground_voxels": rng.integers(0, 3, cases).astype(np.float32),
        "round_number": 1,
    }
    return Candidates(tuple(f"case_{number:04d}" for number in range(cases)), **{**arrays, **changes})


@pytest.fixture
def candidates() -> Callable[..., Candidates]:
    return make_candidates
