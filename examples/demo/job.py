"""The parts of a job as commands: pretrain a network, plan, tune prompts, predict, evaluate.

Owns which commands are run in which order; ``steps`` runs them. Must not import torch or nnU-Net.
"""

__all__ = [
    "Job",
    "command",
    "evaluation_steps",
    "planning_step",
    "pretrained_model",
    "pretraining_steps",
    "tuning_step",
]

import functools
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plans import BATCH_SIZE, CONFIGURATION, FEATURES, PATCH_SIZE, rewrite, shrunk, with_prompts
from steps import Command, Function, Step

HERE = Path(__file__).parent
ORGAN, LESIONS = "Dataset801_SyntheticOrgan", "Dataset802_SyntheticLesions"
ORGAN_CASES = 20
TUNER = "nnUNetTrainerSLPT"
SMALL_PLANS, PROMPT_PLANS = "nnUNetPlansSmall", "nnUNetSLPTPlans"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is tuned, and where everything goes.

    Args:
        output: folder for all that is made.
        dataset: name of the downstream dataset, ``DatasetXXX_Name``.
        device: ``cpu`` or ``cuda``.
        pretrainer: nnU-Net's trainer for the pretraining, if there is one here.
        prompts: what the block ``plans["slpt"]`` says otherwise than by default.
    """

    output: Path
    dataset: str
    device: str
    pretrainer: str = "nnUNetTrainer_5epochs"
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
    def number(self) -> int:
        """The number of the dataset."""
        return _number(self.dataset)

    @property
    def plans(self) -> Path:
        """The plans for tuning prompts."""
        return self.preprocessed / self.dataset / f"{PROMPT_PLANS}.json"

    @property
    def model(self) -> Path:
        """The folder of the tuned model."""
        return self.results / self.dataset / f"{TUNER}__{PROMPT_PLANS}__{CONFIGURATION}"

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
        }


def pretraining_steps(job: Job, folder: Path, cases: int, test_cases: int, seed: int) -> list[Step]:
    """Make synthetic data, and pretrain a stock nnU-Net on the organ alone.

    Args:
        job: where everything goes.
        folder: for the cases with organ and lesions.
        cases: labelled in ``labelsTr``.
        test_cases: in ``labelsTs``.
        seed: of the data.
    """
    model = pretrained_model(job) / "fold_0"
    train = f"{_number(ORGAN)} {CONFIGURATION} 0 -tr {job.pretrainer} -p {SMALL_PLANS} -device {job.device}"
    pretrain = Step(
        name="pretrain",
        title="Pretrain a stock nnU-Net on the organ alone, and validate it on four other cases",
        actions=[command("nnUNetv2_train", train)],
        outputs=[model / "checkpoint_final.pth", model / "validation" / "summary.json"],
    )
    return [_generation_step(job, folder, cases, test_cases, seed), _stock_planning_step(job), pretrain]


def pretrained_model(job: Job) -> Path:
    """The folder of the network that is pretrained on the organ."""
    return job.results / ORGAN / f"{job.pretrainer}__{SMALL_PLANS}__{CONFIGURATION}"


def _generation_step(job: Job, folder: Path, cases: int, test_cases: int, seed: int) -> Step:
    """Make both synthetic datasets, of different patients."""
    generator: list[str | Path] = [sys.executable, HERE / "synthetic_ct.py", "--output"]
    organ = f"-d 801 --name SyntheticOrgan --labels organ --cases {ORGAN_CASES} --seed {seed + 801}"
    lesions = f"-d 802 --name SyntheticLesions --cases {cases} --test-cases {test_cases} --seed {seed + 802}"
    return Step(
        name="data",
        title=f"Make synthetic CT: {ORGAN_CASES} cases with labelled organ, {cases} with organ and lesions",
        actions=[
            Command(*generator, job.raw, *organ.split()),
            Command(*generator, folder, *lesions.split()),
        ],
        outputs=[job.raw / ORGAN / "dataset.json", folder / LESIONS / "dataset.json"],
    )


def _stock_planning_step(job: Job) -> Step:
    """Let nnU-Net plan, shrink what it planned, preprocess."""
    folder = job.preprocessed / ORGAN
    planned, small = folder / "nnUNetPlans.json", folder / f"{SMALL_PLANS}.json"
    size = f"features {FEATURES}, patch {PATCH_SIZE}, batch {BATCH_SIZE}"
    shrink = functools.partial(rewrite, planned, small, functools.partial(shrunk, name=SMALL_PLANS))
    number = _number(ORGAN)
    return Step(
        name="pretraining_plan",
        title="Plan and preprocess the pretraining",
        actions=[
            command("nnUNetv2_extract_fingerprint", f"-d {number} -np 2 --verify_dataset_integrity"),
            command("nnUNetv2_plan_experiment", f"-d {number}"),
            Function(f"shrink {planned.name} for a CPU: {size} -> {small}", shrink),
            command("nnUNetv2_preprocess", f"-d {number} -plans_name {SMALL_PLANS} -c {CONFIGURATION} -np 2"),
        ],
        outputs=[small, folder / f"{SMALL_PLANS}_{CONFIGURATION}"],
    )


def planning_step(job: Job, model: Path) -> Step:
    """Make the pretrained network's plans fit the new task.

    Args:
        job: what is tuned.
        model: folder of the pretrained network.
    """
    settings = functools.partial(
        rewrite, job.plans, job.plans, functools.partial(with_prompts, block=job.prompts)
    )
    return Step(
        name="plan",
        title="Bring the pretrained network's plans to the new task",
        actions=[
            command("nnunet_slpt_plan", f"-d {job.number} --overwrite -npp 2", "-m", model),
            Function(f'set {job.prompts} in the block "slpt" of {job.plans}', settings),
        ],
        outputs=[job.plans, job.plans.with_name("dataset.json")],
    )


def tuning_step(job: Job, title: str = "Tune the prompts; the pretrained network stays as it is") -> Step:
    """Preprocess what is labelled, and tune on all of it.

    Args:
        job: what is tuned.
        title: what a reader is told.
    """
    train = f"{job.number} {CONFIGURATION} all -tr {TUNER} -p {PROMPT_PLANS} -device {job.device}"
    fold = job.model / "fold_all"
    return Step(
        name="tune",
        title=title,
        actions=[
            command("nnunet_slpt_preprocess", f"-d {job.number} -p {PROMPT_PLANS} -np 2"),
            command("nnUNetv2_train", train),
        ],
        outputs=[fold / "checkpoint_final.pth", fold / "validation" / "summary.json"],
    )


def evaluation_steps(job: Job, truth: Path, predictions: Path) -> list[Step]:
    """Predict the test cases, and compare with their labels.

    Args:
        job: what was tuned.
        truth: folder with the labels of the test cases.
        predictions: folder for what is predicted.
    """
    model = f"-d {job.number} -tr {TUNER} -p {PROMPT_PLANS} -c {CONFIGURATION} -f all"
    raw = job.raw / job.dataset
    clear = functools.partial(shutil.rmtree, predictions, ignore_errors=True)  # of another dataset
    predict = Step(
        name="predict",
        title="Predict the test cases, which nothing above has seen; without mirroring, to be quick",
        actions=[
            Function(f"remove what was predicted before from {predictions}", clear),
            command(
                "nnUNetv2_predict",
                f"{model} -device {job.device} -npp 1 -nps 1 --disable_tta",
                *("-i", raw / "imagesTs", "-o", predictions),
            ),
        ],
        outputs=[predictions / "dataset.json"],
    )
    files: list[str | Path] = ["-djfile", raw / "dataset.json", "-pfile", job.plans]
    evaluate = Step(
        name="evaluate",
        title="Compare with the truth",
        actions=[command("nnUNetv2_evaluate_folder", "", truth, predictions, *files, "-np", "2")],
        outputs=[predictions / "summary.json"],
    )
    return [predict, evaluate]


def command(name: str, words: str, *paths: str | Path) -> Command:
    """One command; ``words`` are split, paths are not."""
    return Command(name, *words.split(), *paths)


def _number(dataset: str) -> int:
    """Read the number in ``DatasetXXX_Name``."""
    return int(dataset.removeprefix("Dataset").split("_")[0])
