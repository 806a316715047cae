"""The job as nnU-Net commands: pretrain or take a pretrained network, tune prompts, predict, evaluate.

Owns which commands are run in which order; ``steps`` runs them. Must not import torch or nnU-Net.
"""

__all__ = ["Job", "Pretrained", "evaluation_steps", "linking_steps", "pretraining_steps", "tuning_steps"]

import functools
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from own_data import Task, link_dataset
from plans import BATCH_SIZE, CONFIGURATION, FEATURES, PATCH_SIZE, rewrite, shrunk, with_prompts
from steps import Command, Function, Step

HERE = Path(__file__).parent
ORGAN, LESIONS = "Dataset801_SyntheticOrgan", "Dataset802_SyntheticLesions"
ORGAN_CASES, TEST_CASES = 20, 8
PRETRAINER, TUNER = "nnUNetTrainer_5epochs", "nnUNetTrainerSLPT"
SMALL_PLANS, PROMPT_PLANS = "nnUNetPlansSmall", "nnUNetPlansSLPT"


@dataclass(frozen=True)
class Pretrained:
    """A pretrained network: dataset and name of its plans, and its weights."""

    dataset: str
    plans_name: str
    checkpoint: Path


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is tuned, and where everything goes.

    Args:
        output: folder for all that is made.
        dataset: name of the downstream dataset, ``DatasetXXX_Name``.
        device: ``cpu`` or ``cuda``.
        prompts: the block ``plans["slpt"]``.
    """

    output: Path
    dataset: str
    device: str
    prompts: dict[str, Any] = field(default_factory=dict)

    @property
    def raw(self) -> Path:
        """nnU-Net's raw data."""
        return self.output / "nnUNet_raw"

    @property
    def preprocessed(self) -> Path:
        """nnU-Net's preprocessed data and plans."""
        return self.output / "nnUNet_preprocessed"

    @property
    def results(self) -> Path:
        """nnU-Net's trained models."""
        return self.output / "nnUNet_results"

    @property
    def predictions(self) -> Path:
        """Predictions for the test cases."""
        return self.output / "predictions"

    @property
    def environment(self) -> dict[str, str]:
        """What nnU-Net and torch read from the environment."""
        workers = 1 if self.device == "cpu" else min(8, os.cpu_count() or 1)
        return {
            "nnUNet_raw": str(self.raw),
            "nnUNet_preprocessed": str(self.preprocessed),
            "nnUNet_results": str(self.results),
            "nnUNet_n_proc_DA": str(workers),
            "nnUNet_def_n_proc": "2",
            "nnUNet_compile": "f",
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait leave the cores to others
        }


def _nnunet(command: str, words: str, *paths: str | Path) -> Command:
    """Build one of nnU-Net's commands; ``words`` are split, paths are not."""
    return Command(f"nnUNetv2_{command}", *words.split(), *paths)


def _number(dataset: str) -> int:
    """Read the number in ``DatasetXXX_Name``."""
    return int(dataset.removeprefix("Dataset").split("_")[0])


def pretraining_steps(job: Job, cases: int, seed: int) -> tuple[list[Step], Pretrained]:
    """Make synthetic data and pretrain a stock nnU-Net on the organ alone."""
    model = job.results / ORGAN / f"{PRETRAINER}__{SMALL_PLANS}__{CONFIGURATION}" / "fold_0"
    pretrained = Pretrained(ORGAN, SMALL_PLANS, model / "checkpoint_final.pth")
    train = f"{_number(ORGAN)} {CONFIGURATION} 0 -tr {PRETRAINER} -p {SMALL_PLANS} -device {job.device}"
    pretrain = Step(
        name="pretrain",
        title="Pretrain a stock nnU-Net on the organ alone, and validate it on four other cases",
        actions=[_nnunet("train", train)],
        outputs=[pretrained.checkpoint, model / "validation" / "summary.json"],
    )
    return [_generation_step(job, cases, seed), _planning_step(job), pretrain], pretrained


def _generation_step(job: Job, cases: int, seed: int) -> Step:
    """Make both synthetic datasets, of different patients."""
    generator: list[str | Path] = [sys.executable, HERE / "synthetic_ct.py", "--output", job.raw]
    organ = f"-d 801 --name SyntheticOrgan --labels organ --cases {ORGAN_CASES} --seed {seed + 801}"
    lesions = f"-d 802 --name SyntheticLesions --cases {cases} --test-cases {TEST_CASES} --seed {seed + 802}"
    return Step(
        name="data",
        title=f"Make synthetic CT: {ORGAN_CASES} cases with labelled organ, {cases} with organ and lesions",
        actions=[Command(*generator, *organ.split()), Command(*generator, *lesions.split())],
        outputs=[job.raw / ORGAN / "dataset.json", job.raw / LESIONS / "dataset.json"],
    )


def _planning_step(job: Job) -> Step:
    """Let nnU-Net plan, shrink what it planned, preprocess."""
    folder = job.preprocessed / ORGAN
    planned, small = folder / "nnUNetPlans.json", folder / f"{SMALL_PLANS}.json"
    size = f"features {FEATURES}, patch {PATCH_SIZE}, batch {BATCH_SIZE}"
    shrink = functools.partial(rewrite, planned, small, functools.partial(shrunk, name=SMALL_PLANS))
    return Step(
        name="plan",
        title="Plan and preprocess the pretraining",
        actions=[
            _nnunet("extract_fingerprint", f"-d {_number(ORGAN)} -np 2 --verify_dataset_integrity"),
            _nnunet("plan_experiment", f"-d {_number(ORGAN)}"),
            Function(f"shrink {planned.name} for a CPU: {size} -> {small}", shrink),
            _nnunet("preprocess", f"-d {_number(ORGAN)} -plans_name {SMALL_PLANS} -c {CONFIGURATION} -np 2"),
        ],
        outputs=[small, folder / f"{SMALL_PLANS}_{CONFIGURATION}"],
    )


def linking_steps(job: Job, task: Task, training: Sequence[str]) -> tuple[list[Step], Pretrained]:
    """Take a real dataset and the network that was pretrained for it."""
    pretrained = Pretrained(task.pretrained.parent.name, task.plans_name, task.checkpoint)
    plans = job.preprocessed / pretrained.dataset / f"{pretrained.plans_name}.json"
    copy_plans = functools.partial(rewrite, task.pretrained / "plans.json", plans, dict)
    link = functools.partial(link_dataset, task, training, job.raw)
    step = Step(
        name="data",
        title=f"Link {len(training)} labelled, {len(task.test)} test cases; take the pretrained plans",
        actions=[
            Function(f"link {' '.join(training)} and the test cases of {task.dataset} -> {job.raw}", link),
            Function(f"copy {task.pretrained / 'plans.json'} -> {plans}", copy_plans),
        ],
        outputs=[job.raw / job.dataset / "dataset.json", plans],
    )
    return [step], pretrained


def tuning_steps(job: Job, pretrained: Pretrained) -> list[Step]:
    """Bring the plans to the downstream dataset, preprocess it as in pretraining, tune the prompts."""
    number, folder = _number(job.dataset), job.preprocessed / job.dataset
    plans = folder / f"{PROMPT_PLANS}.json"
    add_prompts = functools.partial(rewrite, plans, plans, functools.partial(with_prompts, block=job.prompts))
    move = f"-s {_number(pretrained.dataset)} -t {number} -sp {pretrained.plans_name} -tp {PROMPT_PLANS}"
    transfer = Step(
        name="transfer",
        title="Bring the pretrained network's plans to the new task, and preprocess it accordingly",
        actions=[
            _nnunet("extract_fingerprint", f"-d {number} -np 2 --verify_dataset_integrity"),
            Function(
                f"copy {job.raw / job.dataset / 'dataset.json'} -> {folder}",
                functools.partial(_describe, job),
            ),
            _nnunet("move_plans_between_datasets", move),
            Function(f'add "slpt": {job.prompts} to {plans}', add_prompts),
            _nnunet("preprocess", f"-d {number} -plans_name {PROMPT_PLANS} -c {CONFIGURATION} -np 2"),
        ],
        outputs=[
            plans,
            folder / "dataset.json",
            folder / "dataset_fingerprint.json",
            folder / "gt_segmentations",
        ],
    )
    train = (
        f"{number} {CONFIGURATION} all -tr {TUNER} -p {PROMPT_PLANS} -device {job.device} -pretrained_weights"
    )
    model = job.results / job.dataset / f"{TUNER}__{PROMPT_PLANS}__{CONFIGURATION}" / "fold_all"
    tune = Step(
        name="tune",
        title="Tune the prompts; the pretrained network stays as it is",
        actions=[_nnunet("train", train, pretrained.checkpoint)],
        outputs=[model / "checkpoint_final.pth", model / "validation" / "summary.json"],
    )
    return [transfer, tune]


def _describe(job: Job) -> None:
    """Copy ``dataset.json`` as planning would; nnUNetv2_preprocess and nnUNetv2_train read the copy."""
    shutil.copy(job.raw / job.dataset / "dataset.json", job.preprocessed / job.dataset / "dataset.json")


def evaluation_steps(job: Job) -> list[Step]:
    """Predict the test cases, and compare with their labels."""
    model = f"-d {_number(job.dataset)} -tr {TUNER} -p {PROMPT_PLANS} -c {CONFIGURATION} -f all"
    raw, plans = job.raw / job.dataset, job.preprocessed / job.dataset / f"{PROMPT_PLANS}.json"
    files: list[str | Path] = ["-djfile", raw / "dataset.json", "-pfile", plans]
    predict = Step(
        name="predict",
        title="Predict the test cases, which nothing above has seen; without mirroring, to be quick",
        actions=[
            _nnunet(
                "predict",
                f"{model} -device {job.device} -npp 1 -nps 1 --disable_tta",
                "-i",
                raw / "imagesTs",
                "-o",
                job.predictions,
            )
        ],
        outputs=[job.predictions / "dataset.json"],
    )
    evaluate = Step(
        name="evaluate",
        title="Compare with the truth",
        actions=[_nnunet("evaluate_folder", "", raw / "labelsTs", job.predictions, *files, "-np", "2")],
        outputs=[job.predictions / "summary.json"],
    )
    return [predict, evaluate]
