"""The tables of what a query is worth, from the JSON files that `queries.py` leaves."""

__all__ = ["errors_table", "pairs_table", "queries_table"]

import itertools
from collections import defaultdict
from typing import Any

import numpy as np
from real_data import label_means
from scipy.stats import spearmanr

from nnunet_slpt.evaluation.means import Spread
from nnunet_slpt.evaluation.report import words
from nnunet_slpt.selection.strategies import STRATEGIES
from nnunet_slpt.selection.strategies.uncertainty import prompt_uncertainty

AGGREGATION = "foreground"
START = "start"  # of `queries.py`: what all strategies of a seed share
# Queries that are compared from one start, with one aggregation: labelled and further cases, strategies.
PAIRED_QUERY = (4, 12)
PAIRS = (
    ("hybrid", "uncertainty"),
    ("hybrid", "random"),
    ("uncertainty", "random"),
    ("clasp_pe", "random"),
    ("clasp_pe", "uncertainty"),
    ("kmeans", "random"),
)
JUDGES = ("pre", "test")


def queries_table(queries: list[dict[str, Any]]) -> str:
    """What a query is worth: mean Dice after it, and the paired difference to random choice."""
    by_way: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(dict)
    for one in queries:
        if one["strategy"] != START:
            question = f"{one['task']}, {one['start']} + {one['more']}"
            reached = {part: mean_dice(one["dice"][part]) for part in JUDGES}
            by_way[question, one["strategy"]][one["seed"]] = reached
    rows = []
    for (question, strategy), by_seed in sorted(by_way.items()):
        random = by_way[question, "random"]
        both = by_seed.keys() & random.keys()
        levels = (words.spread(Spread.of(one[part] for one in by_seed.values())) for part in JUDGES)
        gains = (
            words.spread(Spread.of(by_seed[seed][part] - random[seed][part] for seed in both))
            for part in JUDGES
        )
        rows.append([f"{question}, {strategy}", *levels, *gains])
    titles = [*JUDGES, *(f"{part}: difference from random" for part in JUDGES)]
    return words.markdown_table(["task, labels, strategy", *titles], rows)


def pairs_table(queries: list[dict[str, Any]]) -> str:
    """Differences between two strategies' queries from one start, by task and judge, and how many it won."""
    starts: dict[tuple[str, int], dict[str, dict[str, float]]] = defaultdict(dict)
    for one in queries:
        if one["strategy"] != START and (one["start"], one["more"]) == PAIRED_QUERY:
            reached = {part: mean_dice(one["dice"][part]) for part in JUDGES}
            starts[one["task"], one["seed"]][one["strategy"]] = reached
    tasks = sorted({task for task, _ in starts})
    rows = []
    for first, second in PAIRS:
        row = [f"`{first}` against `{second}`"]
        for task, part in itertools.product(tasks, JUDGES):
            gains = [
                gain
                for (of_task, _), reached in sorted(starts.items())
                if of_task == task and (gain := _gain(reached, first, second, part)) is not None
            ]
            won = sum(gain > 0 for gain in gains)
            row.append(f"{words.spread(Spread.of(gains))}, {won} won" if gains else "-")
        rows.append(row)
    titles = [f"{task}, {part}" for task, part in itertools.product(tasks, JUDGES)]
    return words.markdown_table(["strategies", *titles], rows)


def _gain(reached: dict[str, dict[str, float]], first: str, second: str, part: str) -> float | None:
    """By the default aggregation if both were asked so, else by that of the names without one."""
    for ending in ("@classes", ""):
        one, other = (
            reached.get(name + ending if "predictions" in STRATEGIES[name].needs else name)
            for name in (first, second)
        )
        if one and other:
            return one[part] - other[part]
    return None


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
    rows = [
        [", ".join(one), *(words.spread(Spread.of(told[name])) for name in names)]
        for one, told in by_way.items()
    ]
    return words.markdown_table(["task, `-aggregation`", *names], rows)


def mean_dice(by_case: dict[str, dict[str, float]]) -> float:
    """The mean over classes of the means over cases."""
    return float(np.mean(list(label_means(by_case).values())))
