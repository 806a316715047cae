"""Joining a prompt file with its base: nnU-Net's own finder, plans and network; no training."""

import json

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.discovery import search_folder
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.pretrained import load_backbone, read_checkpoint
from nnunet_slpt.trainers import nnUNetTrainerSLPT
from nnunet_slpt.trainers.join import join, main
from nnunet_slpt.trainers.prompt_file import save_prompts

# When nnU-Net looks for a trainer it imports all its own, and with them torchvision.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")

DATASET = {
    "labels": {"background": 0, "a": 1, "b": 2},
    "channel_names": {"0": "CT"},
    "file_ending": ".nii.gz",
}


def plans_of(width=4, **settings):
    """Plans of a tiny 2D U-Net, as far as the network needs them."""
    layers = {"n_stages": 2, "features_per_stage": [width, 6], "kernel_sizes": [[3, 3]] * 2}
    layers |= {"strides": [[1, 1], [2, 2]], "n_conv_per_stage": [1, 1], "n_conv_per_stage_decoder": [1]}
    kinds = {"conv_op": "torch.nn.Conv2d", "norm_op": "torch.nn.InstanceNorm2d", "nonlin": "torch.nn.ReLU"}
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {**layers, **kinds, "conv_bias": True, "norm_op_kwargs": {"affine": True}},
        "_kw_requires_import": list(kinds),
    }
    configuration = {"architecture": architecture, "patch_size": [8, 8]}
    names = {"dataset_name": "Dataset001_Tiny", "plans_name": "nnUNetPlans", "label_manager": "LabelManager"}
    return {**names, "configurations": {"2d": configuration}, "slpt": {"prompts": 2, **settings}}


def build(plans, trainer=nnUNetTrainerSLPT, classes=3):
    manager = PlansManager(plans)
    configuration = manager.get_configuration("2d")
    return trainer.build_network_architecture(
        manager, configuration, 1, classes, enable_deep_supervision=True
    )


@pytest.fixture(autouse=True)
def found_by_nnunet(monkeypatch):
    monkeypatch.setenv("nnUNet_extTrainer", search_folder())


@pytest.fixture
def base(tmp_path):
    """A pretrained checkpoint."""
    weights = build(plans_of(), nnUNetTrainer, classes=2).state_dict()
    torch.save({"network_weights": weights}, tmp_path / "base.pth")
    return tmp_path / "base.pth"


@pytest.fixture
def tuned(base):
    """The network of a tuning."""
    network = build(plans_of())
    load_backbone(network, read_checkpoint(base))
    return network


@pytest.fixture
def save(tmp_path, tuned):
    """Write the prompt file of a fold."""

    def write(fold=0, plans=None, dataset_json=DATASET, trainer_name="nnUNetTrainerSLPT"):
        file = tmp_path / f"prompts_{fold}.safetensors"
        about = {"configuration": "2d", "trainer_name": trainer_name, "mirroring_axes": (0, 1)}
        save_prompts(file, tuned, plans=plans or plans_of(), dataset_json=dataset_json, fold=fold, **about)
        return file

    return write


@pytest.fixture
def model(tmp_path):
    return tmp_path / "model"


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_weights_are_those_of_the_tuning_bit_for_bit(save, base, model, tuned):
    weights = torch.load(join(save(), base, model), weights_only=True)["network_weights"]
    expected = tuned.state_dict()
    assert list(weights) == list(expected)
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())


def test_the_folder_is_nnunets(save, base, model):
    assert join(save("all"), base, model) == model / "fold_all" / "checkpoint_final.pth"
    assert files(model) == {"plans.json", "dataset.json", "fold_all/checkpoint_final.pth"}
    assert json.loads((model / "plans.json").read_text()) == plans_of()
    assert json.loads((model / "dataset.json").read_text()) == DATASET


def test_the_checkpoint_says_what_nnunet_asks_of_it(save, base, model):
    content = torch.load(join(save(3), base, model), weights_only=True)
    assert content["trainer_name"] == "nnUNetTrainerSLPT"
    assert content["inference_allowed_mirroring_axes"] == (0, 1)
    assert content["init_args"]["configuration"] == "2d"
    assert read_checkpoint(model / "fold_3/checkpoint_final.pth").labels == DATASET["labels"]


def test_another_base_is_refused_with_both_hashes_and_files(save, base, model, tmp_path):
    content = torch.load(base)
    content["network_weights"]["encoder.stages.0.0.convs.0.conv.weight"][0] += 1
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(
        CheckpointError, match=r"prompts_0.*not tuned inside .*other.*got \w{64}, expected \w{64}"
    ):
        join(save(), tmp_path / "other.pth", model)
    assert not model.exists()


def test_a_base_of_another_kind_is_refused_in_words(save, model, tmp_path):
    weights = build(plans_of(width=8), nnUNetTrainer).state_dict()
    torch.save({"network_weights": weights}, tmp_path / "other.pth")
    with pytest.raises(
        CheckpointError, match=r"not tuned inside .*features per stage: got 8, 6, expected 4, 6"
    ):
        join(save(), tmp_path / "other.pth", model)


def test_tensors_that_the_plans_do_not_ask_for_are_refused(save, base, model):
    with pytest.raises(CheckpointError, match=r"does not hold the tensors.*heads"):
        join(save(plans=plans_of(prompts=3)), base, model)


def test_a_trainer_that_nnunet_does_not_find_is_named(save, base, model):
    with pytest.raises(CheckpointError, match=r"does not find nnUNetTrainerElsewhere.*nnunet_slpt_env"):
        join(save(trainer_name="nnUNetTrainerElsewhere"), base, model)


def test_another_fold_joins_the_same_model(save, base, model):
    for fold in (0, 1):
        join(save(fold), base, model)
    folds = {f"fold_{fold}/checkpoint_final.pth" for fold in (0, 1)}
    assert files(model) == {"plans.json", "dataset.json"} | folds


def test_a_model_is_not_overwritten_unasked(save, base, model):
    before = join(save(), base, model).read_bytes()
    with pytest.raises(CheckpointError, match=r"another model.*fold_0.checkpoint_final\.pth.*--overwrite"):
        join(save(), base, model)
    assert (model / "fold_0/checkpoint_final.pth").read_bytes() == before


def test_labels_in_another_order_are_another_model(save, base, model):
    join(save(), base, model)
    turned = {**DATASET, "labels": dict(reversed(DATASET["labels"].items()))}
    with pytest.raises(CheckpointError, match=r"another model.*dataset\.json"):
        join(save(1, dataset_json=turned), base, model)


def test_what_is_overwritten_is_kept(save, base, model):
    first = join(save(), base, model).read_bytes()
    for _ in range(2):
        join(save(), base, model, overwrite=True)
    assert (model / "fold_0/checkpoint_final.pth.bak").read_bytes() == first
    assert (model / "fold_0/checkpoint_final.pth.bak2").exists()
    assert not (model / "plans.json.bak").exists()


def test_folds_of_a_replaced_model_are_set_aside(save, base, model):
    join(save(0), base, model)
    join(save(1, plans=plans_of(seed=5)), base, model, overwrite=True)
    assert files(model) == {
        "plans.json",
        "plans.json.bak",
        "dataset.json",
        "fold_0/checkpoint_final.pth.bak",
        "fold_1/checkpoint_final.pth",
    }


def test_a_broken_plans_file_is_not_taken_for_the_same(save, base, model):
    model.mkdir()
    (model / "plans.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"another model.*plans\.json"):
        join(save(), base, model)


def test_the_command_joins(save, base, model, capsys):
    assert main(["-i", str(save()), "-b", str(base), "-o", str(model)]) == 0
    assert "Wrote" in capsys.readouterr().out
    assert main(["-i", str(save()), "-b", str(base), "-o", str(model), "--overwrite"]) == 0


def test_the_command_refuses_in_one_line(save, model, capsys):
    assert main(["-i", str(save()), "-b", "absent.pth", "-o", str(model)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("nnunet_slpt_join: There is no checkpoint absent.pth")
    assert error.count("\n") == 1
