"""The trainers that SLPT is compared with: what they tune, that nnU-Net's commands take them, and ``--c``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from nnunet_slpt.errors import CheckpointError

Names = Callable[[str], bool]
HEADS = "decoder.seg_layers."
ADDED = ".parametrizations.weight.0."

# Which of nnU-Net's tensors each of them may change, beside the heads.
BASELINES: dict[str, Names] = {
    "nnUNetTrainerFullAdamW": lambda name: True,
    "nnUNetTrainerFullSGD": lambda name: True,
    "nnUNetTrainerHead": lambda name: False,
    "nnUNetTrainerDecoder": lambda name: name.startswith(("decoder.stages.", "decoder.transpconvs.")),
    "nnUNetTrainerBiasNorm": lambda name: name.endswith((".bias", ".norm.weight", ".all_modules.1.weight")),
    "nnUNetTrainerLoRA": lambda name: ADDED in name,
}
OWN = {"nnUNetTrainerFullAdamW": ("AdamW", 3e-3, 1e-2), "nnUNetTrainerFullSGD": ("SGD", 1e-2, 3e-5)}


def begin(task: Any, trainer: str, **settings: Any) -> Any:
    """Two steps are about to be taken."""
    task.trainer_name = trainer
    short = {"epochs": 1, "iterations_per_epoch": 2, "validation_iterations_per_epoch": 1}
    task.set_block(learning_rate=None, **(short | settings))
    return task.trainer(pretrained=None if trainer == "nnUNetTrainerScratch" else task.pretrained)


def has_no_say(name: str) -> bool:
    """The coarsest head, to which nnU-Net gives no weight, and biases that a normalisation takes out."""
    return name.startswith(f"{HEADS}0.") or name.endswith(("conv.bias", ".all_modules.0.bias"))


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_baseline_changes_what_it_is_named_after_and_predicts(task: Any, baseline: str) -> None:
    trainer = begin(task, baseline)
    trainer.run_training()
    pretrained = torch.load(task.pretrained, weights_only=False)["network_weights"]
    after = task.checkpoint()["network_weights"]
    tuned = {name for name in after if name.startswith(HEADS) or BASELINES[baseline](name)}
    frozen = set(after) - tuned
    plain = {name: name.replace(".parametrizations.weight.original", ".weight") for name in after}
    assert {plain[name] for name in after if ADDED not in name} == set(pretrained)
    assert all(torch.equal(after[name], pretrained[plain[name]]) for name in frozen)
    same_shape = {name for name in tuned if name in pretrained and not name.startswith(HEADS)}
    still = {name for name in same_shape if torch.equal(after[name], pretrained[name])}
    assert not {name for name in still if not has_no_say(name)}
    assert all(after[name].any() for name in after if name.endswith(".up"))
    assert re.search(r"[\d,]+ frozen and [\d,]+ tuned parameters, [\d.]+ %\. 2 of 3 outputs", task.log())
    assert task.predicted().shape == (20, 22, 24)


@pytest.mark.parametrize(("given", "kept"), [(None, (0, 1, 2)), ([], None), ([1, 2], (1, 2))])
def test_mirrored_as_the_plans_say(task: Any, given: Any, kept: Any) -> None:
    trainer = begin(task, "nnUNetTrainerHead", mirror_axes=given)
    *_, axes = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    assert axes == trainer.inference_allowed_mirroring_axes == kept


@pytest.mark.parametrize(("block", "told"), [({}, True), ({"mirror_axes": []}, False)])
def test_a_model_that_was_not_mirrored_is_told_of(task: Any, block: Any, told: bool) -> None:
    content = torch.load(task.pretrained, weights_only=False)
    torch.save(content | {"inference_allowed_mirroring_axes": None}, task.pretrained)
    begin(task, "nnUNetTrainerHead", **block).on_train_start()
    assert ("it was not mirrored along all axes" in task.log()) == told


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("trainer", ["nnUNetTrainerHead", "nnUNetTrainerSLPT"])
def test_a_training_takes_the_threads_that_were_asked_for(
    task: Any, trainer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    begin(task, trainer)
    assert torch.get_num_threads() == 2


def test_heads_of_known_labels_start_from_the_pretrained_ones(task: Any) -> None:
    trainer = begin(task, "nnUNetTrainerHead")
    trainer.on_train_start()
    pretrained = torch.load(task.pretrained, weights_only=False)["network_weights"]
    for name, tensor in trainer.network.state_dict().items():
        if name.startswith(HEADS):
            assert torch.equal(tensor[:2], pretrained[name])
            assert len(tensor) == 3


def test_from_scratch_nothing_is_pretrained(task: Any) -> None:
    task.set_block(pretrained_checkpoint=str(task.pretrained), pretrained_sha256="0" * 64)
    begin(task, "nnUNetTrainerScratch").run_training()
    pretrained = torch.load(task.pretrained, weights_only=False)["network_weights"]
    after = task.checkpoint()
    weights = {name: tensor for name, tensor in after["network_weights"].items() if tensor.ndim > 1}
    assert not [name for name, tensor in weights.items() if torch.equal(tensor, pretrained[name])]
    assert after["init_args"]["plans"]["slpt"]["pretrained_checkpoint"] is None
    assert "From scratch: 0 frozen and" in task.log()
    assert task.predicted().shape == (20, 22, 24)


def test_from_scratch_refuses_weights(task: Any) -> None:
    task.trainer_name = "nnUNetTrainerScratch"
    with pytest.raises(CheckpointError, match=r"starts from random weights .*-tr nnUNetTrainerFullAdamW"):
        task.run(pretrained=task.pretrained)
    assert not list(task.results.glob("*"))


@pytest.mark.parametrize("baseline", ["nnUNetTrainerHead", "nnUNetTrainerScratch"])
def test_the_same_seed_gives_the_same_start(task: Any, baseline: str) -> None:
    def start() -> dict[str, torch.Tensor]:
        torch.rand(3)  # whatever was drawn before
        trainer = begin(task, baseline)
        trainer.on_train_start()
        weights: dict[str, torch.Tensor] = trainer.network.state_dict()
        return weights

    first, second = start(), start()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("baseline", OWN)
def test_what_the_block_leaves_open_the_trainer_decides(task: Any, baseline: str) -> None:
    trainer = begin(task, baseline)
    trainer.initialize()
    optimizer, rate, decay = OWN[baseline]
    group = trainer.optimizer.param_groups[0]
    assert (type(trainer.optimizer).__name__, group["lr"], group["weight_decay"]) == (optimizer, rate, decay)
    written = trainer.my_init_kwargs["plans"]["slpt"]
    assert (written["optimizer"], written["learning_rate"], written["weight_decay"]) == OWN[baseline]


def test_what_the_block_says_holds(task: Any) -> None:
    task.trainer_name = "nnUNetTrainerFullAdamW"
    task.set_block(optimizer="SGD", learning_rate=0.5, weight_decay=0.0)
    trainer = task.trainer(pretrained=task.pretrained)
    trainer.initialize()
    group = trainer.optimizer.param_groups[0]
    assert (type(trainer.optimizer), group["lr"], group["weight_decay"]) == (torch.optim.SGD, 0.5, 0.0)


def test_a_baseline_continued_equals_one_never_stopped(task: Any) -> None:
    begin(task, "nnUNetTrainerLoRA", epochs=2).run_training()
    never_stopped = task.checkpoint()["network_weights"]
    task.interrupt(begin(task, "nnUNetTrainerLoRA", epochs=2), before_epoch=1)
    (task.output() / "checkpoint_final.pth").unlink()
    continued = task.trainer(continued=True)
    continued.run_training()
    assert continued.current_epoch == 2
    after = task.checkpoint()["network_weights"]
    assert all(torch.equal(after[name], never_stopped[name]) for name in after)


def test_slpt_with_all_its_steps_left_out_trains_and_predicts(task: Any) -> None:
    """Prompts at the input alone, one view for all, noise as meta prompt."""
    trainer = begin(task, "nnUNetTrainerSLPT", updaters=False, views=False, foreground_start=False)
    trainer.run_training()
    weights = task.checkpoint()["network_weights"]
    assert not [name for name in weights if name.startswith("updaters.")]
    assert weights["input_prompt.gain"].all()
    assert float(weights["prompts.meta"].min()) < 0  # which no probability is
    batch = next(trainer.dataloader_train)
    assert batch["data"].shape == (2, 1, 1, 16, 16, 16)
    assert task.predicted().shape == (20, 22, 24)
    written = json.loads((task.output().parent / "plans.json").read_text())["slpt"]
    assert not any(written[part] for part in ("updaters", "views", "foreground_start"))


def test_prompts_in_turn_go_on_in_turn(task: Any) -> None:
    """A step tunes one prompt's heads; which one follows from the step, after an interruption too."""
    trainer = begin(task, "nnUNetTrainerSLPT", prompts_per_step=1, epochs=2)
    trainer.on_train_start()
    heads = trainer.prompted.heads.weights[-1]
    for epoch in (0, 1):
        trainer.current_epoch = epoch
        trainer.on_epoch_start()
        trainer.on_train_epoch_start()
        for turn in (0, 1):
            trainer.train_step(next(trainer.dataloader_train))
            assert [bool(gradient.any()) for gradient in heads.grad] == [turn == 0, turn == 1]
