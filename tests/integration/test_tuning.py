"""A whole run of ``nnUNetv2_train ... -tr nnUNetTrainerSLPT -pretrained_weights ...``: what it leaves."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nnunet_slpt.config import PromptConfig


def frozen(weights: dict[str, Any]) -> dict[str, torch.Tensor]:
    parts = ("encoder.", "decoder.")
    return {k: v for k, v in weights.items() if k.startswith(parts) and ".seg_layers." not in k}


@pytest.fixture
def tuned_weights(tuned: Any) -> dict[str, torch.Tensor]:
    weights = tuned.checkpoint()["network_weights"]
    return {name: tensor for name, tensor in weights.items() if name not in frozen(weights)}


@pytest.mark.parametrize(
    "file",
    [
        "checkpoint_final.pth",
        "checkpoint_best.pth",
        "prompts_final.safetensors",
        "progress.png",
        "debug.json",
        "validation/summary.json",
        "validation/case_4.nii.gz",
        "validation/case_5.npz",
        "../plans.json",
        "../dataset.json",
        "../dataset_fingerprint.json",
    ],
)
def test_a_run_leaves_what_nnunet_leaves_and_the_prompts(tuned: Any, file: str) -> None:
    assert (tuned.output() / file).stat().st_size > 0


def test_the_plans_beside_the_checkpoint_tell_every_setting(tuned: Any) -> None:
    plans = json.loads((tuned.output().parent / "plans.json").read_text())
    given = json.loads(tuned.plans_file.read_text())["slpt"]
    expected = PromptConfig.from_plans({"slpt": given}).as_block()
    of_the_trainer = {"optimizer": "AdamW", "weight_decay": 0.0}
    assert plans["slpt"] == expected | of_the_trainer | {"pretrained_checkpoint": str(tuned.pretrained)}
    assert plans["slpt"] == tuned.checkpoint()["init_args"]["plans"]["slpt"]


@pytest.mark.parametrize(
    "line",
    [
        r"Prompts inside .*pretrained\.pth .*[\d,]+ frozen and [\d,]+ tuned parameters, [\d.]+ %",
        r"2 of 3 outputs start from the pretrained head",
        r"Cosines of the prompts \[-?[\d.]+\], disagreement of their predictions [\d.]+\s+"
        r"(.*\n)+.*Cosines of the prompts",
        r"Mean Validation Dice: +0\.\d+",
    ],
)
def test_the_log_tells(tuned: Any, line: str) -> None:
    assert re.search(line, tuned.log())


def test_frozen_tensors_are_the_pretrained_ones_bit_for_bit(tuned: Any) -> None:
    before = frozen(torch.load(tuned.pretrained, weights_only=False)["network_weights"])
    after = frozen(tuned.checkpoint()["network_weights"])
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_optimizer_knows_the_tuned_tensors_alone(
    tuned: Any, tuned_weights: dict[str, torch.Tensor]
) -> None:
    state = tuned.checkpoint()["optimizer_state"]
    moments = [moment["exp_avg"].shape for moment in state["state"].values()]
    # Projections are drawn once and stay; they belong to the tuning, but not to the optimizer.
    shapes = [tensor.shape for name, tensor in tuned_weights.items() if not name.endswith(".projection")]
    assert len(state["param_groups"][0]["params"]) == len(shapes)
    assert len(moments) > len(shapes) / 2
    assert all(shape in shapes for shape in moments)


def test_the_prompt_file_holds_the_tuned_tensors_of_the_checkpoint(
    tuned: Any, tuned_weights: dict[str, torch.Tensor]
) -> None:
    prompts = load_file(tuned.output() / "prompts_final.safetensors")
    assert prompts.keys() == tuned_weights.keys()
    assert all(torch.equal(prompts[name], tuned_weights[name]) for name in prompts)


def test_validation_scores_every_label_of_every_case(tuned: Any) -> None:
    summary = json.loads((tuned.output() / "validation/summary.json").read_text())
    assert len(summary["metric_per_case"]) == 2
    assert summary["mean"].keys() == {"1", "2"}


def test_probabilities_of_the_validation_sum_to_one(tuned: Any) -> None:
    """They are what the command for ensembles reads."""
    probabilities = np.load(tuned.output() / "validation/case_4.npz")["probabilities"]
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=2e-3)
