"""Bad input: one sentence that says what to do, before the first epoch, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nnunet_slpt.errors import ArchitectureError, CheckpointError, ConfigError, DatasetError

Prepare = Callable[[Any], dict[str, Any]]
PASSED = "-pretrained_weights"


def pretrained(task: Any) -> dict[str, Any]:
    return {"pretrained": task.pretrained}


def no_weights(task: Any) -> dict[str, Any]:
    return {}


def nothing_to_continue(task: Any) -> dict[str, Any]:
    return {"continue_training": True}


def recorded_weights_are_gone(task: Any) -> dict[str, Any]:
    task.set_block(pretrained_checkpoint=str(task.folder / "gone.pth"))
    return {}


def no_such_file(task: Any) -> dict[str, Any]:
    return {"pretrained": task.folder / "gone.pth"}


def a_folder(task: Any) -> dict[str, Any]:
    return {"pretrained": task.folder}


def corrupt(task: Any) -> dict[str, Any]:
    task.pretrained.write_bytes(b"not a checkpoint" * 99)
    return pretrained(task)


def truncated(task: Any) -> dict[str, Any]:
    whole = task.pretrained.read_bytes()
    task.pretrained.write_bytes(whole[: len(whole) // 2])
    return pretrained(task)


def of_another_program(task: Any) -> dict[str, Any]:
    torch.save({"state_dict": {"layer.weight": torch.ones(1)}, "epoch": 3}, task.pretrained)
    return pretrained(task)


def another_topology(task: Any) -> dict[str, Any]:
    def widen(plans: dict[str, Any]) -> None:
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        architecture["arch_kwargs"]["features_per_stage"] = [4, 8, 12]

    task.change_plans(widen)
    return pretrained(task)


def more_channels(task: Any) -> dict[str, Any]:
    task.change_dataset(lambda dataset: dataset.update(channel_names={"0": "T1", "1": "T2"}))
    return pretrained(task)


def unknown_key(task: Any) -> dict[str, Any]:
    task.set_block(promts=3)
    return pretrained(task)


def no_prompts(task: Any) -> dict[str, Any]:
    task.set_block(prompts=0)
    return pretrained(task)


def primus(task: Any) -> dict[str, Any]:
    def change(plans: dict[str, Any]) -> None:
        architecture = plans["configurations"]["3d_fullres"]["architecture"]
        architecture["network_class_name"] = "dynamic_network_architectures.architectures.primus.Primus"

    task.change_plans(change)
    return pretrained(task)


def cascade(task: Any) -> dict[str, Any]:
    second = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    task.change_plans(lambda plans: plans["configurations"].update({"3d_cascade_fullres": second}))
    return {"configuration": "3d_cascade_fullres", **pretrained(task)}


def one_training_case(task: Any) -> dict[str, Any]:
    task.write_splits(["case_0"], ["case_1"])
    return pretrained(task)


def no_validation_case(task: Any) -> dict[str, Any]:
    task.write_splits(["case_0", "case_1"], [])
    return pretrained(task)


def a_case_that_is_not_preprocessed(task: Any) -> dict[str, Any]:
    task.write_splits(["case_0", "case_1"], ["case_77"])
    return pretrained(task)


def four_cases_and_no_split(task: Any) -> dict[str, Any]:
    task.splits_file.unlink()
    for file in (*task.cases.glob("case_4*"), *task.cases.glob("case_5*")):
        file.unlink()
    return pretrained(task)


def no_fingerprint(task: Any) -> dict[str, Any]:
    (task.dataset_file.parent / "dataset_fingerprint.json").unlink()
    return pretrained(task)


def empty_labels(task: Any) -> dict[str, Any]:
    task.preprocess(lambda labels: labels * 0)
    return pretrained(task)


REFUSED = [
    (
        no_weights,
        CheckpointError,
        ["got none", "Pass its checkpoint", PASSED],
    ),
    (nothing_to_continue, CheckpointError, ["got none", PASSED]),
    (
        recorded_weights_are_gone,
        CheckpointError,
        ["no checkpoint", "gone.pth", '"slpt", "pretrained_checkpoint"', "Put it back"],
    ),
    (no_such_file, CheckpointError, ["no checkpoint", "gone.pth", "Pass the file"]),
    (a_folder, CheckpointError, ["is a folder, expected a checkpoint file", "Pass the file"]),
    (corrupt, CheckpointError, ["pretrained.pth (1584 bytes)", "cannot be read", "download it again"]),
    (truncated, CheckpointError, ["pretrained.pth", "cannot be read", "download it again"]),
    (
        of_another_program,
        CheckpointError,
        ["state_dict, epoch", "expected", "network_weights", "Pass the file"],
    ),
    (another_topology, ArchitectureError, ["got 4, 8, 8, expected 4, 8, 12", "nnunet_slpt_plan -d TARGET"]),
    (more_channels, ArchitectureError, ["input channels", "got 1, expected 2"]),
    (unknown_key, ConfigError, ["unknown key 'promts'", "known: optimizer, learning_rate"]),
    (no_prompts, ConfigError, ['["prompts"] is 0', "expected a whole number from 1 on", "default, 3"]),
    (primus, ArchitectureError, ["Primus", "Supported: PlainConvUNet, ResidualEncoderUNet", "Use plans"]),
    (cascade, ArchitectureError, ["3d_cascade_fullres", "cascade", "Use 3d_fullres"]),
    (one_training_case, DatasetError, ["1 training case(s), expected 2", "Label more cases"]),
    (no_validation_case, DatasetError, ["0 validation cases, expected 1", "Move a case"]),
    (a_case_that_is_not_preprocessed, DatasetError, ["case_77", "holds 6 cases", "Correct splits_final"]),
    (four_cases_and_no_split, DatasetError, ["4 preprocessed cases", "5 folds", "splits_final.json"]),
    (no_fingerprint, DatasetError, ["dataset_fingerprint.json", "nnUNetv2_extract_fingerprint -d"]),
    (empty_labels, DatasetError, ["all 4 training cases are empty", "dataset.json"]),
]


@pytest.mark.parametrize(("prepare", "error", "words"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
def test_refused(task: Any, prepare: Prepare, error: type[Exception], words: list[str]) -> None:
    options = prepare(task)
    before = contents(task.folder)
    with pytest.raises(error) as caught:
        task.run(**options)
    assert [word for word in words if word not in str(caught.value)] == []
    assert contents(task.folder) == before


def contents(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.name != "results"}
