"""Which score of a case tells best how wrong its prediction is: every measure in every aggregation.

For each model: Spearman's rank correlation between a score and 1 - Dice (mean over the labels that a case
has), over the cases of `pool` that the model was not tuned on. Test cases are not looked at.

    python benchmarks/aggregation.py --data ../shared/data/heart --models FOLDER [FOLDER ...]

A model folder is one of nnUNetTrainerSLPT with a copy of the splits_final.json that it was tuned with.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from real_data import dice


def errors_and_scores(
    folder: Path, raw: Path, cases: list[str]
) -> tuple[list[float], list[dict[str, float]]]:
    """1 - Dice, and the scores, of each case, both from one unmirrored prediction."""
    import torch

    from nnunet_slpt.datasets import read_cases
    from nnunet_slpt.selection.network import Model
    from nnunet_slpt.selection.uncertainty import case_uncertainty

    model = Model.load(folder, None, "checkpoint_final.pth", torch.device("cpu"), 0.5, mirroring=False)
    files = {case.name: case.images for case in read_cases(raw, hide_labels=True)}
    ending = json.loads((raw / "dataset.json").read_text())["file_ending"]
    values = [value for value in model.predictor.dataset_json["labels"].values() if value]
    errors, scores = [], []
    for name, image, _ in model.preprocess([(case, files[case]) for case in cases], 0):
        logits = model.predictions(image)
        # Both tasks are predicted on the grid of their images.
        predicted = logits.float().softmax(1).mean(0).argmax(0).numpy()
        reader = model.predictor.plans_manager.image_reader_writer_class()
        truth = reader.read_seg(str(raw / "labelsTr" / f"{name}{ending}"))[0][0]
        errors.append(1 - float(np.nanmean([dice(predicted == value, truth == value) for value in values])))
        scores.append(with_both_parts(case_uncertainty(logits, model.regions, model.axes).scores))
    return errors, scores


def with_both_parts(scores: Mapping[str, float]) -> dict[str, float]:
    """The scores, and the product of the inter-prompt and the intra-prompt part; their sum is the entropy."""
    from nnunet_slpt.selection.strategies.uncertainty import prompt_uncertainty
    from nnunet_slpt.selection.uncertainty import AGGREGATIONS

    both = {}
    for how in AGGREGATIONS:
        parts = {part: np.array(scores[f"{part}/{how}"]) for part in ("inter_prompt", "intra_prompt")}
        both[f"product/{how}"] = float(prompt_uncertainty(parts, "product"))
    return {**scores, **both}


def correlations(folder: Path, task: Path) -> dict[str, float]:
    from scipy.stats import spearmanr

    raw = next(task.glob("Dataset*"))
    tuned = set(json.loads((folder / "splits_final.json").read_text())[0]["train"])
    cases = sorted(set(json.loads((task / "split.json").read_text())["pool"]) - tuned)
    errors, scores = errors_and_scores(folder, raw, cases)
    told = {name: spearmanr([one[name] for one in scores], errors).statistic for name in sorted(scores[0])}
    return {"cases": len(cases), "mean_error": round(float(np.mean(errors)), 4)} | {
        name: round(float(value), 3) for name, value in told.items()
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of one task")
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as empty:
        for name in ("raw", "preprocessed", "results"):
            os.environ.setdefault(f"nnUNet_{name}", empty)
        import torch

        torch.set_num_threads(args.threads)
        found = {folder.name: correlations(folder, args.data) for folder in args.models}
    names = [name for name in next(iter(found.values())) if name not in ("cases", "mean_error")]
    means = {name: round(float(np.mean([one[name] for one in found.values()])), 3) for name in names}
    result = {"task": args.data.name, "mean": means, "models": found}
    (args.output / f"aggregation_{args.data.name}.json").write_text(json.dumps(result, indent=1) + "\n")
    for name, value in sorted(means.items(), key=lambda item: -item[1]):
        print(f"{value:6.3f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
