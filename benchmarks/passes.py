"""Time of the selection's two passes against stock prediction by the same network of the same cases.

The three alternate, case by case in one process, so that a ratio holds when the machine's speed drifts. The
tuned weights are fresh ones: they take as long as tuned ones.

    python benchmarks/passes.py --pretrained MODEL_FOLDER --images FOLDER
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

CHECKPOINT = "checkpoint_final.pth"


def prompted_model(pretrained: Path, folder: Path) -> Path:
    """A model folder as ``nnUNetTrainerSLPT`` leaves one, around the pretrained weights."""
    import torch
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    from nnunet_slpt.pretrained import load_backbone, read_checkpoint
    from nnunet_slpt.trainers import nnUNetTrainerSLPT

    (file,) = sorted(pretrained.glob(f"fold_*/{CHECKPOINT}"))[:1]
    base = read_checkpoint(file)
    plans = PlansManager(dict(base.plans))
    configuration = plans.get_configuration(base.configuration)
    network: Any = nnUNetTrainerSLPT.build_network_architecture(
        plans,
        configuration,
        determine_num_input_channels(plans, configuration, base.dataset_json),
        plans.get_label_manager(base.dataset_json).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    load_backbone(network, base)
    (folder / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json"):
        shutil.copy(pretrained / name, folder)
    content = {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": base.configuration},
        "trainer_name": nnUNetTrainerSLPT.__name__,
        "inference_allowed_mirroring_axes": tuple(range(len(configuration.patch_size))),
    }
    torch.save(content, folder / "fold_0" / CHECKPOINT)
    return folder


def time_case(model: Any, name: str, files: Sequence[Path], folder: Path) -> dict[str, float]:
    """Seconds of stock prediction and of both passes, each from the files to its answer on disk."""
    from nnunet_slpt.selection.passes import Passes

    passes = Passes(model, folder / name, {name: files}, {name: name}, preprocessing=0, scoring=1)

    def predict() -> None:
        # Without mirroring or with it: as the passes, because it is the same predictor.
        model.predictor.predict_from_files_sequential(
            [[str(file) for file in files]], [str(folder / name / "prediction")]
        )

    (folder / name).mkdir()
    seconds = {"prediction": clock(predict)}
    seconds["uncertainty"] = clock(lambda: passes.see(uncertainty=[name]))
    seconds["features"] = clock(lambda: passes.see(features=[name]))
    return seconds


def clock(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        call()
    return time.perf_counter() - start


def spread(values: list[float]) -> dict[str, float]:
    return {"min": round(min(values), 3), "median": round(median(values), 3), "max": round(max(values), 3)}


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pretrained", type=Path, required=True, help="model folder of a stock nnU-Net")
    parser.add_argument("--images", type=Path, required=True, help="folder with images of one channel")
    parser.add_argument("--cases", type=int, default=12)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--disable_tta", action="store_true")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    os.environ.setdefault("nnUNet_compile", "f")
    import torch

    from nnunet_slpt.selection.network import Model

    torch.set_num_threads(args.threads)
    files = sorted(args.images.glob("*_0000.*"))[: args.cases + 1]
    with tempfile.TemporaryDirectory() as place:
        folder = prompted_model(args.pretrained, Path(place) / "model")
        with contextlib.redirect_stdout(sys.stderr):
            model = Model.load(
                folder, None, CHECKPOINT, torch.device(args.device), 0.5, mirroring=not args.disable_tta
            )
        rows = [time_case(model, file.name.split("_0000")[0], [file], Path(place)) for file in files][1:]
    ratios = {
        kind: spread([row[kind] / row["prediction"] for row in rows]) for kind in ("uncertainty", "features")
    }
    report = {
        "settings": {key: str(getattr(args, key)) for key in ("cases", "device", "threads", "disable_tta")},
        "torch": torch.__version__,
        "prediction seconds a case": spread([row["prediction"] for row in rows]),
        "ratio to prediction": ratios,
    }
    print(json.dumps(report, indent=1))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
