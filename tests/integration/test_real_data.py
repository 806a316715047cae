"""A few iterations on real images, from real pretrained networks; skipped where there are none."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.pretrained import pretrained_heads, read_checkpoint
from nnunet_slpt.trainers import nnUNetTrainerSLPT
from nnunet_slpt.trainers.start import start_from_pretrained

CASES = 5


@pytest.fixture
def hippocampus(data_folder: Path, empty_task: Any) -> Any:
    """Five cases of the pool, preprocessed under the plans of the pretrained network."""
    task, source = empty_task, data_folder / "hippocampus"
    raw, checkpoint = source / "Dataset004_Hippocampus", next(source.rglob("checkpoint_final.pth"))
    cases = sorted(json.loads((source / "split.json").read_text())["pool"])[:CASES]
    for part, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
        folder = task.raw / task.dataset_file.parent.name / part
        folder.mkdir(parents=True)
        for case in cases:
            shutil.copy(raw / part / f"{case}{ending}", folder)
    plans = json.loads((checkpoint.parents[1] / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["data_identifier"] = task.cases.name
    plans |= {"dataset_name": task.dataset_file.parent.name, "plans_name": "nnUNetPlans"}
    plans["slpt"] = {"epochs": 1, "iterations_per_epoch": 4, "validation_iterations_per_epoch": 1}
    task.cases.mkdir(parents=True)
    task.plans_file.write_text(json.dumps(plans))
    (task.dataset_file.parent / "dataset_fingerprint.json").write_text("{}")
    shutil.copy(raw / "dataset.json", task.dataset_file)
    shutil.copy(checkpoint, task.pretrained)
    task.write_splits(cases[:-1], cases[-1:])
    task.preprocess()
    return task


def test_a_short_run_on_the_hippocampus(hippocampus: Any) -> None:
    trainer = hippocampus.trainer(pretrained=hippocampus.pretrained)
    trainer.run_training()
    content = hippocampus.checkpoint()
    pretrained = read_checkpoint(hippocampus.pretrained).weights
    frozen = trainer.prompted.frozen_state()
    assert all(torch.equal(content["network_weights"][name], pretrained[name]) for name in frozen)
    assert math.isfinite(content["logging"]["train_losses"][0])
    assert "1 of 3 outputs start from the pretrained head" in hippocampus.log()


@pytest.mark.parametrize("plans_name", ["nnUNetPlansSmall", "nnUNetPlansMiddle"])
def test_the_left_ventricle_starts_from_its_own_head(data_folder: Path, plans_name: str) -> None:
    task = data_folder / "heart"
    checkpoint = next(task.glob(f"pretrained/*/*{plans_name}__3d_fullres")) / "fold_all/checkpoint_final.pth"
    labels = json.loads((task / "Dataset027_Heart/dataset.json").read_text())["labels"]
    pretrained = read_checkpoint(checkpoint)
    plans = PlansManager(dict(pretrained.plans))
    network: Any = nnUNetTrainerSLPT.build_network_architecture(
        plans, plans.get_configuration("3d_fullres"), 1, len(labels)
    )
    config = PromptConfig(pretrained_checkpoint=str(checkpoint))
    told = start_from_pretrained(network, config, labels)
    weight, bias = pretrained_heads(pretrained)[-1]
    assert "2 of 4 outputs start from the pretrained head" in told
    for ours, theirs in ((network.heads.weights[-1], weight), (network.heads.biases[-1], bias)):
        assert all(torch.equal(of_prompt[labels["LV"]], theirs[1]) for of_prompt in ours)
