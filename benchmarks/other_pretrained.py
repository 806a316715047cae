"""A task with another pretrained network than its own, for `evidence.py`: how much does the choice matter?

    python benchmarks/other_pretrained.py --task ../shared/data/hippocampus --output /tmp/work/weaker \
        --structure Hippocampus 1 2 --epochs 1
    python benchmarks/other_pretrained.py --task ../shared/data/hippocampus --output /tmp/work/restored \
        --structure Hippocampus 1 2 --epochs 3 --self_supervised
    python benchmarks/other_pretrained.py --task ../shared/data/hippocampus --output /tmp/work/from_heart \
        --model ../shared/data/heart/pretrained/*/*Small*
    python benchmarks/evidence.py --task /tmp/work/weaker --name hippocampus_weaker_300 --work /tmp/work -- …

Either the task's own network is pretrained anew by stock nnU-Net, for fewer epochs of 250 steps, on its
`pre` cases with some labels as one structure, or without labels, by restoring images of which blocks are
hidden (context encoders, arXiv:1604.07379). Or a network of another task is taken as it is, with the spacing
and the normalisation of this task's own: at its old spacing small structures might vanish.
"""

import argparse
import json
import math
import shutil
from pathlib import Path
from typing import Any

from punet_pretraining import NUMBER, raw_dataset
from real_data import CONFIGURATION, announce, run, train

PLANS = "nnUNetPlansSmall"
HIDDEN, BLOCK = 0.3, 8  # of an image that is to be restored: the share, in blocks of so many voxels an axis


def own_model(task: Path) -> Path:
    return next((task / "pretrained").glob(f"*/*__{PLANS}__{CONFIGURATION}"))


def restoring(base: type[Any]) -> type[Any]:
    """A trainer whose network learns to restore images in its last output, and uses no label."""
    import torch

    from nnunet_slpt.losses.cpa import hide_blocks
    from nnunet_slpt.trainers.gradients import take_step

    class Restoring(base):  # type: ignore[misc]
        def initialize(self) -> None:
            self.oversample_foreground_percent = 0.0  # labels would say where
            super().initialize()

        def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
            images = batch["data"].to(self.device)
            self.optimizer.zero_grad(set_to_none=True)
            block = [BLOCK] * (images.ndim - 2)
            seen, _ = hide_blocks(images, HIDDEN, block, torch.default_generator)
            restored = self.network(seen)[0][:, -1:]
            loss = (restored - images).square().mean()
            loss.backward()
            take_step(list(self.network.parameters()), self.optimizer, None, distributed=False)
            return {"loss": loss.detach().cpu().numpy()}

    Restoring.__name__ = base.__name__  # nnU-Net names the folder by it
    return Restoring


def pretrained_anew(
    task: Path, work: Path, structure: str, values: list[int], epochs: int, self_supervised: bool
) -> Path:
    """The model folder of a network like the task's own after so many epochs of stock nnU-Net."""
    announce(work)
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    dataset = raw_dataset(task, work / "raw", structure, values)
    preprocessed = work / "preprocessed" / dataset.name
    plans: dict[str, Any] = json.loads((own_model(task) / "plans.json").read_text())
    plans["dataset_name"] = dataset.name
    run("nnUNetv2_extract_fingerprint", "-d", str(NUMBER), "-np", "1")
    (preprocessed / f"{PLANS}.json").write_text(json.dumps(plans))
    shutil.copy(dataset / "dataset.json", preprocessed)
    run("nnUNetv2_preprocess", "-d", str(NUMBER), "-plans_name", PLANS, "-c", CONFIGURATION, "-np", "1")
    trainer_class = restoring(nnUNetTrainer) if self_supervised else nnUNetTrainer
    trainer = train(trainer_class, plans, preprocessed, None, seed=0, num_epochs=epochs)
    return Path(trainer.output_folder_base)


def taken_over(model: Path, task: Path, work: Path) -> Path:
    """A copy of a model folder whose plans tell how to read images as the task's own network does."""
    copy = work / model.name
    shutil.copytree(model, copy, dirs_exist_ok=True)
    own = json.loads((own_model(task) / "plans.json").read_text())
    plans = json.loads((model / "plans.json").read_text())
    theirs, ours = plans["configurations"][CONFIGURATION], own["configurations"][CONFIGURATION]
    factors = map(math.prod, zip(*theirs["architecture"]["arch_kwargs"]["strides"], strict=True))
    sizes = zip(ours["patch_size"], factors, strict=True)
    theirs["patch_size"] = [size + -size % factor for size, factor in sizes]
    theirs |= {key: ours[key] for key in ("spacing", "normalization_schemes", "use_mask_for_norm")}
    plans |= {key: own[key] for key in ("transpose_forward", "transpose_backward")}
    (copy / "plans.json").write_text(json.dumps(plans))
    return copy


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(target.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--task", type=Path, required=True, help="folder with dataset, split.json, pretrained"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the same task with the other one"
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--structure", nargs="+", help="name, and values of its labels: pretrain anew on it")
    kind.add_argument("--model", type=Path, help="folder of another task's network")
    parser.add_argument("--epochs", type=int, default=1, help="of 250 steps, with --structure")
    parser.add_argument("--self_supervised", action="store_true", help="with --structure: without labels")
    args = parser.parse_args()
    work = args.output / "work"
    if args.model:
        model = taken_over(args.model, args.task, work)
    else:
        name, *values = args.structure
        labels = [int(value) for value in values]
        model = pretrained_anew(args.task, work, name, labels, args.epochs, args.self_supervised)
    (dataset,) = args.task.glob("Dataset*")
    for source in (dataset, args.task / "split.json"):
        link(args.output / source.name, source)
    link(args.output / "pretrained" / "other" / own_model(args.task).name, model)


if __name__ == "__main__":
    main()
