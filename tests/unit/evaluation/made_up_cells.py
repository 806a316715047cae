"""Made-up finished cells, with effects like those of real ones: more labels help, seeds and cases differ."""

import hashlib
import itertools
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = {"RV": -0.05, "MYO": -0.02, "LV": 0.07}
BUDGETS = (4, 8, 16, 80)
SKILL = {"slpt": 0.03, "full": 0.0, "scratch": -0.15, "head": -0.08}
WISDOM = {"random": 0.0, "tesla": 0.02, "entropy": 0.01}


@cache
def noise(*key: object, scale: float) -> float:
    """The same for the same key, whatever else is made."""
    seed = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big")
    return float(np.random.default_rng(seed).normal(scale=scale))


def level(method: str, strategy: str, budget: int, seed: int) -> float:
    """The Dice of a training, before classes and cases differ."""
    scarce = 4 / budget
    skill = SKILL.get(method, noise(method, scale=0.04)) + WISDOM.get(strategy, noise(strategy, scale=0.01))
    luck = noise(method, strategy, budget, seed, scale=0.015 * scarce**0.5)
    return 0.82 - 0.09 * scarce**0.7 + skill * (0.2 + 0.8 * scarce) + luck


def made_up_cell(method: str, strategy: str, budget: int, seed: int) -> dict[str, Any]:
    key = (method, strategy, budget, seed)

    def dice(case: str) -> dict[str, float]:
        return {
            name: min(
                max(
                    level(*key) + lift + noise(case, name, scale=0.05) + noise(case, name, *key, scale=0.01),
                    0,
                ),
                1,
            )
            for name, lift in CLASSES.items()
        }

    cases = [f"{number:02}" for number in range(12)]
    return {
        "format": 1,
        "cell": dict(zip(("method", "strategy", "budget", "seed"), key, strict=True)),
        "dataset": "Dataset027_Heart",
        "labelled": [f"pool_{number}" for number in range(100, 100 + budget)],
        "test": {f"test_{case}": scores(dice(f"test_{case}")) for case in cases},
        "pool": None
        if strategy == "random"
        else {f"pool_{case}": thought(dice(f"pool_{case}")) for case in cases},
        "costs": costs(method, strategy, seed),
        "settings": {"epochs": 50},
        "versions": {"nnunet_slpt": "0.1.0", "torch": "2.6"},
        "machine": "a quiet machine",
        "command": f"simulate {method} {strategy} {budget} {seed}",
    }


def dice_of(method: str, strategy: str, budget: int, seed: int, name: str | None = None) -> float:
    """Of a made-up training: of one class its mean over the test cases, else the mean of these."""
    test = made_up_cell(method, strategy, budget, seed)["test"]
    names = CLASSES if name is None else [name]
    return float(np.mean([np.mean([case[one]["dice"] for case in test.values()]) for one in names]))


def scores(dice: dict[str, float]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            "dice": one,
            "nsd": one * 0.95,
            "lesion_dice": one,
            "lesion_precision": 1.0 if one > 0.3 else None,
            "lesion_recall": 1.0,
        }
        for name, one in dice.items()
    }


def thought(dice: dict[str, float]) -> dict[str, float]:
    """Of a case in the pool: its true Dice, and a fair guess of how bad it is."""
    true = float(np.mean(list(dice.values())))
    return {"uncertainty": 1 - true + abs(noise(true, scale=0.02)), "dice": true}


def costs(method: str, strategy: str, seed: int) -> dict[str, float | None]:
    return {
        "tuned_parameters": 52_000 if method == "slpt" else 1_000_000,
        "parameters": 1_052_000 if method == "slpt" else 1_000_000,
        "train_seconds": 60.0 + seed,
        "select_seconds": 0.0 if strategy == "random" else 9.5,
        "predict_seconds": 12.0,
        "peak_memory_bytes": None if method == "head" else 3 * 2**30,
    }


def write_cells(
    folder: Path,
    methods: Iterable[str] = ("full", "slpt"),
    strategies: Iterable[str] = ("random", "tesla"),
    budgets: Iterable[int] = BUDGETS,
    seeds: Iterable[int] = range(3),
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key in itertools.product(methods, strategies, budgets, seeds):
        (folder / f"{'__'.join(map(str, key))}.json").write_text(json.dumps(made_up_cell(*key)))
    return folder
