"""What we assume of nnU-Net: its trainer, its ``-pretrained_weights`` and its predictor.

Each test asks nnU-Net itself and says which of its files is meant. When one fails, nnU-Net has changed, and
what we built on that file has to follow. The data loader and the augmentation are in test_views_host.py.
"""

import inspect
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.inference import predict_from_raw_data
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.run import run_training
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from torch import nn

from nnunet_slpt.pretrained import read_checkpoint

CPU = torch.device("cpu")


@pytest.fixture
def trainer(plans: dict[str, Any], dataset_json: dict[str, Any], nnunet_folders: Path) -> nnUNetTrainer:
    """The stock trainer, called as ``get_trainer_from_args`` (run/run_training.py) calls it."""
    return nnUNetTrainer({**plans, "continue_training": False}, "3d_fullres", 0, dataset_json, CPU)


# ---------------------------------------------------------------------- -pretrained_weights


class Notes:
    """Stands for a trainer and writes down what ``maybe_load_checkpoint`` does with it."""

    def __init__(self, initialised: bool, folder: Path) -> None:
        self.was_initialized = initialised
        self.output_folder = str(folder)
        self.network = "not built"
        self.calls: list[Any] = []

    def initialize(self) -> None:
        self.calls.append(("initialize", sys._getframe(1).f_locals.get("pretrained_weights_file")))
        self.network = "built"

    def load_checkpoint(self, filename: str) -> None:
        self.calls.append(("load_checkpoint", filename))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What ``maybe_load_checkpoint`` gives to the loader of pretrained weights."""
    calls: list[Any] = []
    monkeypatch.setattr(
        run_training, "load_pretrained_weights", lambda network, file, verbose: calls.append((network, file))
    )
    return calls


def test_pretrained_weights_come_after_initialize(loaded: list[Any], tmp_path: Path) -> None:
    """run/run_training.py: the file's name is a local of the caller, and the network is read afterwards."""
    notes = Notes(False, tmp_path)
    run_training.maybe_load_checkpoint(notes, False, False, "weights.pth")
    assert notes.calls == [("initialize", "weights.pth")]
    assert loaded == [("built", "weights.pth")]


def test_initialised_trainer_is_left_as_it_is(loaded: list[Any], tmp_path: Path) -> None:
    """run/run_training.py, maybe_load_checkpoint."""
    notes = Notes(True, tmp_path)
    run_training.maybe_load_checkpoint(notes, False, False, "weights.pth")
    assert notes.calls == []
    assert loaded == [("not built", "weights.pth")]


def test_validation_ignores_pretrained_weights(loaded: list[Any], tmp_path: Path) -> None:
    """run/run_training.py, maybe_load_checkpoint: with --val the run's own checkpoint is loaded instead."""
    final = tmp_path / "checkpoint_final.pth"
    final.touch()
    notes = Notes(False, tmp_path)
    run_training.maybe_load_checkpoint(notes, False, True, "weights.pth")
    assert notes.calls == [("load_checkpoint", str(final))]
    assert loaded == []


def test_arguments_that_the_trainer_looks_for() -> None:
    """run/run_training.py, maybe_load_checkpoint: trainers/host.py reads these names in its frame."""
    names = list(inspect.signature(run_training.maybe_load_checkpoint).parameters)
    assert names == ["nnunet_trainer", "continue_training", "validation_only", "pretrained_weights_file"]


def test_loader_accepts_a_network_without_weights(tmp_path: Path) -> None:
    """run/load_pretrained_weights.py: what it does not find in the network, it leaves alone."""
    torch.save({"network_weights": {"encoder.weight": torch.zeros(1)}}, tmp_path / "weights.pth")
    load_pretrained_weights(nn.Module(), str(tmp_path / "weights.pth"))


@pytest.mark.parametrize(("part", "accepted"), [("updaters", False), ("seg_layers", True)])
def test_loader_wants_every_weight_but_the_heads(part: str, accepted: bool, tmp_path: Path) -> None:
    """run/load_pretrained_weights.py: only names with ``.seg_layers.`` may be missing in the file."""
    torch.save({"network_weights": {}}, tmp_path / "weights.pth")
    network = nn.ModuleDict({"decoder": nn.ModuleDict({part: nn.Linear(1, 1)})})
    refused = pytest.raises(AssertionError, match=r"Key decoder\.updaters\.weight is missing")
    with nullcontext() if accepted else refused:
        load_pretrained_weights(network, str(tmp_path / "weights.pth"))


# ---------------------------------------------------------------------- the trainer


def test_signature_of_the_trainer() -> None:
    """training/nnUNetTrainer/nnUNetTrainer.py: it copies its arguments by name, so ours must be the same."""
    parameters = inspect.signature(nnUNetTrainer.__init__).parameters
    assert list(parameters) == ["self", "plans", "configuration", "fold", "dataset_json", "device"]
    assert parameters["device"].default == torch.device("cuda")


def test_signature_of_the_network_builder() -> None:
    """training/nnUNetTrainer/nnUNetTrainer.py, build_network_architecture: static, and fed with managers."""
    builder = inspect.getattr_static(nnUNetTrainer, "build_network_architecture")
    assert isinstance(builder, staticmethod)
    assert list(inspect.signature(builder.__func__).parameters) == [
        "plans_manager",
        "configuration_manager",
        "num_input_channels",
        "num_output_channels",
        "enable_deep_supervision",
    ]


def test_trainer_takes_continue_training_out_of_the_plans(trainer: nnUNetTrainer) -> None:
    """training/nnUNetTrainer/nnUNetTrainer.py, __init__: checkpoints hold the plans without it."""
    assert set(trainer.my_init_kwargs) == {"plans", "configuration", "fold", "dataset_json", "device"}
    assert "continue_training" not in trainer.my_init_kwargs["plans"]


def test_plans_keep_blocks_that_nnunet_does_not_know(plans: dict[str, Any]) -> None:
    """utilities/plans_handling/plans_handler.py: the block ``plans["slpt"]`` reaches the network builder."""
    assert PlansManager({**plans, "slpt": {"prompts": 2}}).plans["slpt"] == {"prompts": 2}


def test_keys_of_a_checkpoint(trainer: nnUNetTrainer, tmp_path: Path) -> None:
    """training/nnUNetTrainer/nnUNetTrainer.py, save_checkpoint."""
    trainer.initialize()
    trainer.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    checkpoint = torch.load(tmp_path / "checkpoint.pth", weights_only=False)
    assert set(checkpoint) == {
        "network_weights",
        "optimizer_state",
        "grad_scaler_state",
        "logging",
        "_best_ema",
        "current_epoch",
        "init_args",
        "trainer_name",
        "inference_allowed_mirroring_axes",
    }
    assert checkpoint["init_args"]["plans"]["dataset_name"] == "Dataset999_Tiny"
    assert checkpoint["init_args"]["dataset_json"]["labels"] == {"background": 0, "liver": 1, "tumour": 2}
    assert checkpoint["trainer_name"] == "nnUNetTrainer"


def test_checkpoints_of_real_trainings_have_what_we_read(data_folder: Path) -> None:
    """training/nnUNetTrainer/nnUNetTrainer.py, save_checkpoint, after whole trainings."""
    files = list(data_folder.glob("*/pretrained/*/*/fold_all/checkpoint_final.pth"))
    assert files
    for file in files:
        beside = json.loads((file.parents[1] / "dataset.json").read_text())
        assert read_checkpoint(file).labels == beside["labels"]


def test_schedule_gives_every_group_one_rate() -> None:
    """training/lr_scheduler/polylr.py: parameter groups with rates of their own would lose them."""
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)
    PolyLRScheduler(optimizer, 1.0, 10).step(5)
    assert len({group["lr"] for group in optimizer.param_groups}) == 1


# ---------------------------------------------------------------------- the predictor


class Builder:
    """Stands for a trainer's class and keeps what the predictor gives to its network builder."""

    arguments: dict[str, Any]

    @staticmethod
    def build_network_architecture(
        plans_manager: PlansManager,
        configuration_manager: ConfigurationManager,
        num_input_channels: int,
        num_output_channels: int,
        enable_deep_supervision: bool = True,
    ) -> nn.Module:
        Builder.arguments = locals()
        return nn.Conv3d(num_input_channels, num_output_channels, 1)


@pytest.fixture
def model_folder(
    plans: dict[str, Any], dataset_json: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A trained model's folder, whose trainer is the builder above."""
    checkpoint = {
        "network_weights": nn.Conv3d(1, 3, 1).state_dict(),
        "init_args": {"configuration": "3d_fullres"},
        "trainer_name": "nnUNetTrainerSLPT",
        "inference_allowed_mirroring_axes": None,
    }
    (tmp_path / "fold_0").mkdir()
    (tmp_path / "plans.json").write_text(json.dumps({**plans, "slpt": {"prompts": 2}}))
    (tmp_path / "dataset.json").write_text(json.dumps(dataset_json))
    torch.save(checkpoint, tmp_path / "fold_0" / "checkpoint_final.pth")
    monkeypatch.setattr(predict_from_raw_data, "recursive_find_trainer_class_by_name", lambda name: Builder)
    return tmp_path


def read_model(folder: Path) -> nnUNetPredictor:
    predictor = nnUNetPredictor(device=CPU, allow_tqdm=False, use_mirroring=False)
    predictor.initialize_from_trained_model_folder(str(folder), (0,))
    return predictor


def test_predictor_builds_from_the_plans_alone(model_folder: Path) -> None:
    """inference/predict_from_raw_data.py, initialize_from_trained_model_folder."""
    read_model(model_folder)
    assert Builder.arguments["plans_manager"].plans["slpt"] == {"prompts": 2}
    assert Builder.arguments["configuration_manager"].patch_size == [8, 8, 8]
    assert Builder.arguments["num_input_channels"] == 1
    assert Builder.arguments["num_output_channels"] == 3
    assert Builder.arguments["enable_deep_supervision"] is False


def test_predictor_loads_strictly(model_folder: Path) -> None:
    """inference/predict_from_raw_data.py: a weight that the network does not have is an error."""
    file = model_folder / "fold_0" / "checkpoint_final.pth"
    checkpoint = torch.load(file, weights_only=False)
    checkpoint["network_weights"]["prompts.meta"] = torch.zeros(1)
    torch.save(checkpoint, file)
    with pytest.raises(RuntimeError, match=r"Unexpected key\(s\) in state_dict: \"prompts\.meta\""):
        read_model(model_folder)


def test_predictor_accumulates_in_half_precision(model_folder: Path) -> None:
    """inference/predict_from_raw_data.py: logits beyond what float16 holds stop the prediction."""
    predictor = read_model(model_folder)
    image = torch.zeros(1, 8, 8, 8)
    nn.init.constant_(predictor.network.bias, 1000.0)
    logits = predictor.predict_sliding_window_return_logits(image)
    assert logits.shape == (3, 8, 8, 8)
    assert logits.dtype == torch.half
    nn.init.constant_(predictor.network.bias, 1e6)
    with pytest.raises(RuntimeError, match="inf"):
        predictor.predict_sliding_window_return_logits(image)
