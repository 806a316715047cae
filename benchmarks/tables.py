"""The tables of the README and of the pages on evidence and strategies, from the JSON files in `results/`.

    python benchmarks/tables.py [--check]

rewrites what stands between two comments that say where a block starts and ends: every figure there has a
file here. With --check it writes nothing and fails where that would change something.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evidence_tables import budgets_table, campaigns_table, duel_table, evidence_table, methods_table
from query_tables import errors_table, pairs_table, queries_table

from nnunet_slpt.evaluation.report import words

HERE = Path(__file__).parent
EXPLANATION = HERE.parent / "docs" / "explanation"
TASKS = {
    "hippocampus_small_300": "hippocampus, 300",
    "lesions_300": "synthetic lesions, 300",
    "heart_small_300": "heart, 300, AdamW at a rate of 0.01",
    "heart_small_1000": "heart, 1,000",
    "heart_middle_1000": "heart, middle network, 1,000",
}
METHODS_NOW = {
    "full_adamw": "full fine-tuning, AdamW",
    "slpt_k1": "SLPT, K = 1",
    "slpt": "SLPT, K = 3 (default)",
}
# Names of methods.
BASELINES = r"slpt|(?!slpt_|punet).*"
PARTS_OF_ONE = r"slpt_k1_.*"
PARTS_OF_ALL = r"slpt_(?!k1_).*"
# Block of the page on evidence → its tables: comparison, labelled cases, what to compare with, the others.
METHODS_TABLES = {
    "baselines": [("hippocampus_small_300", 5, "slpt_k1", BASELINES)],
    "ablation": [
        ("hippocampus_small_300", 5, "slpt_k1", PARTS_OF_ONE),
        ("hippocampus_small_300", 5, "slpt", PARTS_OF_ALL),
    ],
    "heart_baselines": [("heart_small_300", 4, "slpt_k1", BASELINES)],
    "heart_ablation": [("heart_small_300_capped", 4, "slpt_k1", PARTS_OF_ONE)],
}
# Block of the page on evidence → its table over all budgets: comparison, what to compare with, the others.
BUDGETS_TABLES = {
    "baselines_by_budget": ("hippocampus_small_300", "slpt_k1", BASELINES),
    "heart_baselines_by_budget": ("heart_small_300", "slpt_k1", BASELINES),
}
# Block of the page on evidence → its table of two methods: comparison, methods.
DUELS = {
    "hippocampus_duel": ("hippocampus_small_300", "full_adamw", "slpt_k1"),
    "heart_duel": ("heart_small_300", "full_adamw_fast", "slpt_k1"),
}
PUNETS = {"hippocampus_punet_150": "hippocampus, 150", "heart_punet_150": "heart, 150"}
PUNET_METHODS = {"punet_full": "tokens and the whole body", "punet": "tokens alone"}
# The same task from other pretrained networks: comparisons, methods, labelled cases, heading.
PRETRAINED = (
    {
        "hippocampus_small_300": "the whole hippocampus, 2,500 steps",
        "hippocampus_weaker_300": "the same, 250 steps",
        "hippocampus_restored_300": "images to restore, no labels, 750 steps",
        "hippocampus_from_heart_300": "a heart's left ventricle on MR",
        "hippocampus_from_ct_300": "an organ on synthetic CT",
    },
    {name: METHODS_NOW[name] for name in ("full_adamw", "slpt_k1")},
    (5,),
    "pretrained on, labelled cases",
)
# Block of the page on strategies → comparison, method.
CAMPAIGNS = {
    "campaigns": ("heart_small_300", "slpt"),
    "campaigns_before": ("heart_small_300_capped", "slpt"),
    "lesion_campaigns": ("lesions_second_300", "slpt"),
}


def step_table(reports: list[dict[str, Any]]) -> str:
    """Ratios of time and memory to stock full fine-tuning."""
    rows = []
    for report in reports:
        for name, row in report["networks"].items():
            ratios = [f"{one['median']:.2f}" for one in row["ratio to plain"].values()]
            memory = row["peak MiB"]
            # Unknown where the machine tells none.
            ratios.append(f"{memory['step K=3'] / memory['plain step']:.2f}" if memory["plain step"] else "-")
            rows.append([f"{name}, {report['settings']['device']}", *ratios])
    titles = ["one prompt's pass", "step, K = 3", "inference, K = 3", "peak memory"]
    return words.markdown_table(["network, device", *titles], rows)


def read(folder: str) -> list[dict[str, Any]]:
    """All results in a folder."""
    return [json.loads(path.read_text()) for path in sorted((HERE / "results" / folder).glob("*.json"))]


class Documents:
    """Texts of documents by path, as they become."""

    def __init__(self) -> None:
        self.texts: dict[Path, str] = {}

    def put(self, document: Path, blocks: list[str], name: str = "figures") -> None:
        """Between the two comments of that name in a document."""
        start, end = (f"<!-- {name}:{edge} -->" for edge in ("start", "end"))
        text = self.texts.get(document) or document.read_text(encoding="utf-8")
        before, rest = text.split(start)
        self.texts[document] = f"{before}{start}\n\n" + "\n\n".join(blocks) + f"\n\n{end}{rest.split(end)[1]}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    documents = Documents()
    fill(documents.put)
    changed = {path for path, text in documents.texts.items() if path.read_text(encoding="utf-8") != text}
    for path in changed:
        if check:
            print(f"{path}: its tables are not those of benchmarks/results. Run {__file__}", file=sys.stderr)
        else:
            path.write_text(documents.texts[path], encoding="utf-8")
    return int(check and bool(changed))


def fill(put: Callable[..., None]) -> None:
    """All blocks of all documents."""
    queries = read("queries")
    reports = [json.loads(path.read_text()) for path in sorted((HERE / "results").glob("step_*.json"))]
    put(
        HERE.parent / "README.md",
        [
            "Mean Dice on the test cases, mean ± standard deviation over random subsets of labelled cases "
            "(their number); differences are those on the same subset (`benchmarks/evidence.py`):",
            evidence_table(TASKS, METHODS_NOW),
            "Time and memory as multiples of stock full fine-tuning (`make bench`):",
            step_table(reports),
        ],
    )
    put(
        EXPLANATION / "strategies.md",
        [
            queries_table(queries),
            "Spearman's rank correlation of each score with 1 - Dice, over the cases that were left to "
            "choose from:",
            errors_table(queries),
        ],
    )
    put(EXPLANATION / "strategies.md", [pairs_table(queries)], "pairs")
    for block, one in CAMPAIGNS.items():
        put(EXPLANATION / "strategies.md", [campaigns_table(*one)], block)
    for block, tables in METHODS_TABLES.items():
        put(EXPLANATION / "evidence.md", [methods_table(*one) for one in tables], block)
    for block, one in DUELS.items():
        put(EXPLANATION / "evidence.md", [duel_table(*one)], block)
    for block, one in BUDGETS_TABLES.items():
        put(EXPLANATION / "evidence.md", [budgets_table(*one)], block)
    put(EXPLANATION / "evidence.md", [evidence_table(*PRETRAINED)], "pretrained")
    put(EXPLANATION / "evidence.md", [evidence_table(PUNETS, PUNET_METHODS)], "punet")


if __name__ == "__main__":
    sys.exit(main())
