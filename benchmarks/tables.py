"""The tables of the README and of the page on evidence, from the JSON files in `results/`.

    python benchmarks/tables.py

rewrites what stands between the two figures comments in each of them: every figure there has a file here.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.means import Spread
from nnunet_slpt.evaluation.report import words

HERE = Path(__file__).parent
START, END = "<!-- figures:start -->", "<!-- figures:end -->"
COMPARED = {
    "hippocampus_small_300": "hippocampus, 300",
    "lesions_300": "synthetic lesions, 300",
    "heart_small_1000": "heart, 1,000",
}
METHODS_NOW = {
    "full_adamw": "full fine-tuning, AdamW",
    "slpt_k1": "SLPT, K = 1",
    "slpt": "SLPT, K = 3 (default)",
}
METHODS = {"slpt": "SLPT", "adamw": "full fine-tuning, AdamW", "sgd": "full fine-tuning, SGD (stock)"}


def spread(values: list[float]) -> str:
    deviation = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{deviation} ({len(values)})"


def evidence_table() -> list[str]:
    """Mean Dice on test cases, by comparison and budget, and the paired differences from full fine-tuning."""
    ways = {Way(name, "random"): title for name, title in METHODS_NOW.items()}
    first, *others = ways
    titles = [*ways.values(), *(f"{ways[one]}: difference" for one in others)]
    lines = ["| task, steps, labelled cases | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for name, task in COMPARED.items():
        cells = read_cells(HERE / "results" / "evidence" / name / "cells").cells
        experiment = Experiment.of(cells, first.method)
        for budget in experiment.budgets:
            levels = [words.spread(experiment.spread(one, budget)) for one in ways]
            pairs = [
                [each.seeds for each in experiment.method_comparisons.get(one, []) if each.budget == budget]
                for one in others
            ]
            gains = [words.spread(Spread(one[0].mean, one[0].sd, one[0].n)) if one else "" for one in pairs]
            lines.append(f"| {task}, {budget} | " + " | ".join([*levels, *gains]) + " |")
    return lines


def tuning_table(cells: list[dict[str, Any]]) -> list[str]:
    """Mean Dice on test cases, by setting and method, and the paired difference to the better baseline."""
    rows: dict[tuple[Any, ...], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for cell in cells:
        setting = (cell["task"], cell["plans"], cell["cases"], cell["steps"])
        rows[setting][cell["method"]][cell["subset"]] = cell["dice"]
    titles = [*METHODS.values(), "SLPT - AdamW, same subset"]
    lines = ["| task, network, training cases, steps | " + " | ".join(titles) + " |"]
    lines.append("|---" * (len(titles) + 1) + "|")
    for setting, by_method in sorted(rows.items()):
        figures = [list(by_method[method].values()) for method in METHODS]
        ours, theirs = by_method["slpt"], by_method["adamw"]
        figures.append([ours[subset] - theirs[subset] for subset in sorted(ours.keys() & theirs.keys())])
        told = [spread(values) if values else "" for values in figures]
        lines.append(f"| {', '.join(map(str, setting))} | " + " | ".join(told) + " |")
    return lines


def prompts_table(cells: list[dict[str, Any]]) -> list[str]:
    """What changing the tuned prompts does to the Dice of the same networks."""
    changes = ("as tuned", "zeroed", "permuted", "averaged")
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        if "dice_with_changed_prompts" in cell:
            rows[f"{cell['task']}, {cell['plans']}, {cell['cases']}"].append(cell)
    lines = ["| task, network, training cases | " + " | ".join(changes) + " |", "|---" * 5 + "|"]
    for name, group in sorted(rows.items()):
        figures = [
            spread([cell["dice_with_changed_prompts"][change] for cell in group]) for change in changes
        ]
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return lines


def step_table(reports: list[dict[str, Any]]) -> list[str]:
    """Ratios of time and memory to stock full fine-tuning."""
    lines = ["| network, device | one prompt's pass | step, K = 3 | inference, K = 3 | peak memory |"]
    lines.append("|---" * 5 + "|")
    for report in reports:
        for name, row in report["networks"].items():
            ratios = [f"{one['median']:.2f}" for one in row["ratio to plain"].values()]
            memory = row["peak MiB"]
            ratios.append(f"{memory['step K=3'] / memory['plain step']:.2f}")
            lines.append(f"| {name}, {report['settings']['device']} | " + " | ".join(ratios) + " |")
    return lines


def campaign_table(campaigns: list[dict[str, Any]]) -> list[str]:
    """Mean Dice on test cases after each round, by strategy, and the paired difference to random choice."""
    rows: dict[tuple[Any, ...], list[tuple[int, float]]] = {}
    for one in campaigns:
        rows[one["task"], one["steps"], one["strategy"], one["seed"]] = [
            (done["labelled"], done["dice"]) for done in one["rounds"]
        ]
    width = max(map(len, rows.values()))
    lines = ["| task, steps a round, strategy | " + " | ".join(f"round {i}" for i in range(width)) + " |"]
    lines.append("|---" * (width + 1) + "|")
    for task, steps, strategy in sorted({name[:3] for name in rows}):
        runs = {name[3]: run for name, run in rows.items() if name[:3] == (task, steps, strategy)}
        figures = [
            f"{group[0][0]} cases: {spread([dice for _, dice in group])}"
            for group in zip(*runs.values(), strict=True)
        ]
        lines.append(f"| {task}, {steps}, {strategy} | " + " | ".join(figures) + " |")
        pairs = [
            (run, rows[task, steps, "random", seed])
            for seed, run in runs.items()
            if strategy != "random" and (task, steps, "random", seed) in rows
        ]
        if pairs:
            gains = [
                spread([ours[i][1] - theirs[i][1] for ours, theirs in pairs]) for i in range(len(figures))
            ]
            lines.append(f"| {strategy} - random, same seed | " + " | ".join(gains) + " |")
    return lines


def read(folder: str) -> list[dict[str, Any]]:
    """All results in a folder."""
    return [json.loads(path.read_text()) for path in sorted((HERE / "results" / folder).glob("*.json"))]


def put(document: Path, blocks: list[str]) -> None:
    """Between the two comments of a document."""
    before, rest = document.read_text().split(START)
    document.write_text(f"{before}{START}\n\n" + "\n\n".join(blocks) + f"\n\n{END}{rest.split(END)[1]}")


def main() -> int:
    cells, campaigns = read("tuning"), read("campaign")
    reports = [json.loads(path.read_text()) for path in sorted((HERE / "results").glob("step_*.json"))]
    put(
        HERE.parent / "README.md",
        [
            "Mean Dice on the test cases, mean ± standard deviation over random subsets of labelled cases "
            "(their number); differences are those on the same subset (`benchmarks/evidence.py`):",
            "\n".join(evidence_table()),
            "Time and memory as multiples of stock full fine-tuning (`make bench`):",
            "\n".join(step_table(reports)),
            "Annotation campaigns, mean Dice on the test cases (`benchmarks/campaign.py`):",
            "\n".join(campaign_table(campaigns)),
        ],
    )
    put(
        HERE.parent / "docs" / "explanation" / "evidence.md",
        [
            "Mean Dice on the test cases, mean ± standard deviation over random subsets (their number)"
            " (`benchmarks/tuning.py`):",
            "\n".join(tuning_table(cells)),
            "The same tuned networks with their prompts changed, predicted without mirroring:",
            "\n".join(prompts_table(cells)),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
