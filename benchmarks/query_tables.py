"""The tables of what a query is worth, from the JSON files that `queries.py` leaves."""

__all__ = ["errors_table", "pairs_table", "queries_table", "spread"]

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from queries import AGGREGATION, START
from real_data import label_means
from scipy.stats import spearmanr

from nnunet_slpt.evaluation.means import Spread
from nnunet_slpt.evaluation.report import words
from nnunet_slpt.selection.request import Request
from nnunet_slpt.selection.strategies import STRATEGIES
from nnunet_slpt.selection.strategies.uncertainty import prompt_uncertainty

# Queries that are compared from one start, with one aggregation: labelled and further cases, strategies.
PAIRED_QUERY = "4 + 12"
PAIRS = (
    ("hybrid", "uncertainty"),
    ("hybrid", "random"),
    ("uncertainty", "random"),
    ("clasp_pe", "random"),
    ("clasp_pe", "uncertainty"),
    ("kmeans", "random"),
)
JUDGES = ("pre", "test")

# Task and numbers of cases, as in "heart, 4 + 12" → strategy → seed → judge: mean Dice.
Reached = dict[str, dict[str, dict[int, dict[str, float]]]]


def spread(values: Iterable[float]) -> str:
    """Mean, standard deviation and how many; a dash if there are none."""
    return words.spread(Spread.of(values))


def reached_by(queries: list[dict[str, Any]]) -> Reached:
    """What came of every query."""
    reached: Reached = defaultdict(lambda: defaultdict(dict))
    for one in queries:
        if one["strategy"] != START:
            question = f"{one['task']}, {one['start']} + {one['more']}"
            dice = {part: mean_dice(one["dice"][part]) for part in JUDGES}
            reached[question][one["strategy"]][one["seed"]] = dice
    return reached


def gains_over(
    by_strategy: dict[str, dict[int, dict[str, float]]], first: str, second: str, part: str
) -> dict[int, float]:
    """By seed, the difference between two strategies' queries from one start."""
    one, other = (by_strategy.get(name, {}) for name in (first, second))
    return {seed: one[seed][part] - other[seed][part] for seed in one.keys() & other.keys()}


def queries_table(queries: list[dict[str, Any]]) -> str:
    """What a query is worth: mean Dice after it, and the paired difference to random choice."""
    rows = []
    for question, by_strategy in sorted(reached_by(queries).items()):
        for strategy, by_seed in sorted(by_strategy.items()):
            levels = (spread(one[part] for one in by_seed.values()) for part in JUDGES)
            gains = (spread(gains_over(by_strategy, strategy, "random", part).values()) for part in JUDGES)
            rows.append([f"{question}, {strategy}", *levels, *gains])
    titles = [*JUDGES, *(f"{part}: difference from random" for part in JUDGES)]
    return words.markdown_table(["task, labels, strategy", *titles], rows)


def pairs_table(queries: list[dict[str, Any]]) -> str:
    """Differences between two strategies' queries from one start, by task and judge, and how many it won.

    With the default aggregation where both were asked so, else with that of the names without one.
    """
    reached = reached_by(queries)
    tasks = {name.removesuffix(PAIRED_QUERY): name for name in sorted(reached) if name.endswith(PAIRED_QUERY)}
    rows = []
    for pair in PAIRS:
        row = [f"`{pair[0]}` against `{pair[1]}`"]
        for question, part in itertools.product(tasks.values(), JUDGES):
            gains = gains_over(reached[question], *pair, part)
            gains |= gains_over(reached[question], *map(by_default, pair), part)
            won = sum(gain > 0 for gain in gains.values())
            row.append(f"{spread(gains.values())}, {won} won" if gains else "-")
        rows.append(row)
    titles = [f"{task}{part}" for task, part in itertools.product(tasks, JUDGES)]
    return words.markdown_table(["strategies", *titles], rows)


def by_default(strategy: str) -> str:
    """Its name in `queries.py` with the default aggregation, if it needs one."""
    asks = "predictions" in STRATEGIES[strategy].needs
    return f"{strategy}@{Request.aggregation}" if asks else strategy


def errors_table(queries: list[dict[str, Any]]) -> str:
    """Spearman's rank correlation of each score with 1 - Dice over the pool, by task and aggregation."""
    errors = {
        (one["task"], one["seed"]): {
            case: 1 - np.nanmean(list(dice.values())) for case, dice in one["dice"]["pool"].items()
        }
        for one in queries
        if one["strategy"] == START and one["start"]
    }
    found = {  # all strategies of an aggregation have the same scores
        (one["task"], one["strategy"].partition("@")[2] or AGGREGATION, one["seed"]): one["scores"]
        for one in queries
        if "scores" in one
    }
    by_way: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (task, aggregation, seed), by_case in sorted(found.items()):
        cases = list(by_case)
        scores = {name: np.array([by_case[case][name] for case in cases]) for name in by_case[cases[0]]}
        scores["product"] = prompt_uncertainty(scores, "product")
        wrong = [errors[task, seed][case] for case in cases]
        for name, values in scores.items():
            by_way[task, aggregation][name].append(float(spearmanr(values, wrong).statistic))
    names = list(next(iter(by_way.values())))
    rows = [[", ".join(one), *(spread(told[name]) for name in names)] for one, told in by_way.items()]
    return words.markdown_table(["task, `-aggregation`", *names], rows)


def mean_dice(by_case: dict[str, dict[str, float]]) -> float:
    """The mean over classes of the means over cases."""
    return float(np.mean(list(label_means(by_case).values())))
