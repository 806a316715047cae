"""What the benchmarks on real data share: preprocessing, half precision on CPUs, Dice on test cases."""

import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from nnunet_slpt.files import replace_json
from nnunet_slpt.lock import LOCK

SHORT_EPOCH = 20  # steps; the learning rate falls from epoch to epoch
VALIDATION_CASES = 2  # of `pre`: nnU-Net wants some; what they score is used for nothing
CONFIGURATION = "3d_fullres"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What decides one result; its values are the name of its file."""

    @property
    def name(self) -> str:
        return "_".join(str(value) for value in dataclasses.asdict(self).values())

    def save(self, result: dict[str, Any], folder: Path) -> None:
        """Write one JSON, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{self.name}.part"
        part.write_text(json.dumps(result, indent=1) + "\n")
        part.replace(folder / f"{self.name}.json")


def announce(work: Path) -> None:
    """Make nnU-Net's folders inside ``work`` and set its variables; it reads them on import."""
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(work.resolve() / name)
        (work / name).mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("nnUNet_n_proc_DA", "0")
    os.environ.setdefault("nnUNet_compile", "f")


def prepare(task: Path, plans_names: list[str], work: Path) -> None:
    """Link the raw data and preprocess all cases with the pretrained networks' plans, once.

    Several calls may share the work: one does this while the others wait, and those leave the files as they
    are, for by then somebody may be copying them.
    """
    raw = next(task.glob("Dataset*"))
    target = Path(os.environ["nnUNet_preprocessed"]) / raw.name
    link = Path(os.environ["nnUNet_raw"]) / raw.name
    number = raw.name[len("Dataset") :].split("_")[0]
    with FileLock(work / LOCK):
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(raw.resolve())
        if not (target / "dataset_fingerprint.json").exists():
            run("nnUNetv2_extract_fingerprint", "-d", number)
        _bring(target / "dataset.json", json.loads((raw / "dataset.json").read_text()))
        for name in plans_names:
            folder = next((task / "pretrained").glob(f"*/*__{name}__{CONFIGURATION}"))
            plans = json.loads((folder / "plans.json").read_text()) | {"dataset_name": raw.name}
            _bring(target / f"{name}.json", plans)
            data = target / plans["configurations"][CONFIGURATION]["data_identifier"]
            if len(list(data.glob("*.pkl"))) < len(list((raw / "labelsTr").iterdir())):
                run("nnUNetv2_preprocess", "-d", number, "-plans_name", name, "-c", CONFIGURATION, "-np", "2")


def _bring(file: Path, value: Any) -> None:
    """Write a JSON file in one step, if it does not say this already."""
    replace_json(file, value, backup=file.with_suffix(".before.json"))


def own_dataset(task: Path, shared: Path, folder: Path) -> Path:
    """A preprocessed dataset folder of one experiment's own, and beside it what is not to choose from.

    Args:
        task: folder with dataset and ``split.json``.
        shared: what ``prepare`` preprocessed; it is linked, small files are copied.
        folder: of the experiment. ``val.json`` and ``exclude.json`` come there, for ``choosing``.
    """
    name = next(task.glob("Dataset*")).name
    target = folder / "preprocessed" / name
    target.mkdir(parents=True, exist_ok=True)
    for file in (shared / name).iterdir():
        if file.name not in ("splits_final.json", "slpt_selection") and not (target / file.name).exists():
            if file.is_dir():
                (target / file.name).symlink_to(file.resolve())
            else:
                shutil.copy(file, target / file.name)
    split = json.loads((task / "split.json").read_text())
    pre = sorted(split["pre"])
    (folder / "val.json").write_text(json.dumps(pre[:VALIDATION_CASES]))
    (folder / "exclude.json").write_text(json.dumps(pre[VALIDATION_CASES:] + split["test"]))
    return target


def choosing(folder: Path, dataset: str, budget: str, strategy: str, seed: int, model: Path) -> list[str]:
    """Arguments of ``nnunet_slpt_select``: from the pool alone, as if no label were there.

    Args:
        folder: of the experiment, see ``own_dataset``.
        dataset: its name.
        budget: a number of cases or a percentage.
        strategy: that chooses.
        seed: of it.
        model: folder of the network that it looks with.
    """
    return [
        *("-d", dataset, "-n", budget, "-m", str(model), "-strategy", strategy, "--seed", str(seed)),
        *("--hide_labels", "-device", "cpu", "-npp", "0", "--disable_tta"),
        *("--val", str(folder / "val.json"), "--exclude", str(folder / "exclude.json")),
    ]


def short_tuning(steps: int, seed: int) -> dict[str, Any]:
    """The block ``plans["slpt"]`` of a training so short that its epochs are short as well.

    Args:
        steps: a multiple of ``SHORT_EPOCH``.
        seed: of the training.
    """
    return {
        "epochs": steps // SHORT_EPOCH,
        "iterations_per_epoch": SHORT_EPOCH,
        "validation_iterations_per_epoch": 1,
        "seed": seed,
    }


def in_child(task: Callable[..., None], *arguments: Any) -> None:
    """In a process of its own, because nnU-Net reads its folders' names on import.

    Raises:
        SystemExit: it failed, and has told why.
    """
    child = multiprocessing.get_context("fork").Process(target=task, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(1)


def run(*command: str) -> None:
    subprocess.run([str(Path(sys.executable).with_name(command[0])), *command[1:]], check=True)


def in_half_precision(base: type[Any]) -> type[Any]:
    """A trainer whose steps run under ``half_precision``; its augmentation does not."""

    class Half(base):  # type: ignore[misc]
        def train_step(self, batch: dict[str, Any]) -> Any:
            with half_precision(self.device):
                return super().train_step(batch)

        def validation_step(self, batch: dict[str, Any]) -> Any:
            with half_precision(self.device):
                return super().validation_step(batch)

    Half.__name__ = base.__name__  # nnU-Net names folders, and finds the class again, by it
    return Half


def half_precision(device: Any) -> Any:
    import torch

    # nnU-Net itself uses autocast on CUDA alone. Around the steps only: augmentation would suffer. A CPU
    # without instructions for bfloat16 emulates them, a hundred times slower than float32.
    helps = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast("cpu", torch.bfloat16) if helps else contextlib.nullcontext()


def train(
    trainer_class: type[Any],
    plans: dict[str, Any],
    folder: Path,
    checkpoint: Path | None,
    seed: int,
    **attributes: Any,
) -> Any:
    """A trainer after its training from pretrained weights, as ``nnUNetv2_train`` runs it, but seeded.

    Args:
        trainer_class: of nnU-Net, or one of its descendants.
        plans: with an ``slpt`` block, or without.
        folder: of the preprocessed dataset.
        checkpoint: the pretrained one; ``None`` trains from scratch.
        seed: of python, numpy and torch.
        attributes: to set on the trainer, such as ``num_epochs``.
    """
    import numpy as np
    import torch
    from nnunetv2.run.run_training import maybe_load_checkpoint

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    about = json.loads((folder / "dataset.json").read_text())
    trainer = trainer_class(plans | {"continue_training": False}, CONFIGURATION, 0, about, device)
    for name, value in attributes.items():
        setattr(trainer, name, value)
    maybe_load_checkpoint(trainer, False, False, str(checkpoint) if checkpoint else None)
    trainer.run_training()
    return trainer


def label_means(by_case: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean Dice of each label, over the cases in which it is defined."""
    import numpy as np

    scores = list(by_case.values())
    return {name: float(np.nanmean([one[name] for one in scores])) for name in scores[0]}


def case_dice(trainer: Any, cases: list[str]) -> dict[str, dict[str, float]]:
    """Dice of each label of each case, predicted by nnU-Net's sliding window, without mirroring.

    On the preprocessed grid, which for both tasks is the original one.
    """
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(use_mirroring=False, device=trainer.device, allow_tqdm=False)
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        None,
        trainer.dataset_json,
        "",
        trainer.inference_allowed_mirroring_axes,
    )
    trainer.network.eval()
    trainer.set_deep_supervision_enabled(False)
    dataset = trainer.dataset_class(trainer.preprocessed_dataset_folder, cases)
    labels = {name: value for name, value in trainer.dataset_json["labels"].items() if value != 0}
    scores = {}
    for case in cases:
        image, truth, _, _ = dataset.load_case(case)
        with half_precision(trainer.device):
            logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(image[:]))
        predicted, truth = logits.float().argmax(0).cpu().numpy(), truth[:][0]
        scores[case] = {
            name: round(dice(predicted == value, truth == value), 4) for name, value in labels.items()
        }
    return scores


def dice(ours: Any, theirs: Any) -> float:
    """Of two masks; NaN if both are empty."""
    size = ours.sum() + theirs.sum()
    return 2 * float((ours & theirs).sum()) / size if size else float("nan")
