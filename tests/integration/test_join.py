"""A joined model predicts what the tuned one does: both commands, on a real pretrained network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.discovery import search_folder
from nnunet_slpt.pretrained import load_backbone, read_checkpoint
from nnunet_slpt.trainers import nnUNetTrainerSLPT
from nnunet_slpt.trainers.prompt_file import save_prompts

REPOSITORY = Path(__file__).parents[2]
JOIN = "from nnunet_slpt.trainers.join import main; raise SystemExit(main())"
PREDICT = "from nnunetv2.inference.predict_from_raw_data import predict_entry_point_modelfolder as run; run()"
CASE = "hippocampus_001"


@pytest.fixture
def base(data_folder):
    """The checkpoint of the small network that was pretrained on the whole hippocampus."""
    return next((data_folder / "hippocampus/pretrained").rglob("fold_all/checkpoint_final.pth"))


@pytest.fixture
def images(data_folder, tmp_path):
    """A folder with one image."""
    folder = tmp_path / "images"
    folder.mkdir()
    image = next((data_folder / "hippocampus/Dataset004_Hippocampus/imagesTr").glob("*_0000.nii.gz"))
    shutil.copy(image, folder / f"{CASE}_0000.nii.gz")
    return folder


@pytest.fixture
def tuned(base, tmp_path, data_folder):
    """A model folder as nnUNetTrainerSLPT leaves it, with random prompts, and its prompt file."""
    pretrained = read_checkpoint(base)
    dataset = json.loads((data_folder / "hippocampus/Dataset004_Hippocampus/dataset.json").read_text())
    plans = {**pretrained.plans, "slpt": {"prompts": 2}}
    network = network_of(plans, pretrained)
    folder = tmp_path / "tuned"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    arguments = {"plans": plans, "configuration": "3d_fullres", "fold": 0, "dataset_json": dataset}
    about = {"trainer_name": "nnUNetTrainerSLPT", "inference_allowed_mirroring_axes": (0, 1, 2)}
    content = {"network_weights": network.state_dict(), "init_args": arguments, **about}
    torch.save(content, folder / "fold_0/checkpoint_final.pth")
    names = {"trainer_name": "nnUNetTrainerSLPT", "mirroring_axes": (0, 1, 2)}
    save_prompts(folder / "fold_0/prompts_final.safetensors", network, **arguments, **names)
    return folder


def network_of(plans, pretrained):
    manager = PlansManager(plans)
    configuration = manager.get_configuration("3d_fullres")
    network = nnUNetTrainerSLPT.build_network_architecture(manager, configuration, 1, 3, True)
    load_backbone(network, pretrained)
    torch.manual_seed(0)
    for tensor in network.tuned_state().values():
        tensor.normal_(std=0.1)
    return network


def run(program, *arguments):
    environment = {**os.environ, "nnUNet_extTrainer": search_folder(), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def predict(model, images, output):
    """Probabilities (classes, X, Y, Z) and labels (X, Y, Z) of the one case, from nnU-Net's command."""
    slow = ["-npp", "1", "-nps", "1", "-device", "cpu", "--disable_tta", "--save_probabilities"]
    run(PREDICT, "-i", images, "-o", output, "-m", model, "-f", "0", *slow)
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(output / f"{CASE}.nii.gz"))
    return np.load(output / f"{CASE}.npz")["probabilities"], labels


def test_a_joined_model_predicts_bit_for_bit_what_the_tuned_one_does(tuned, base, images, tmp_path):
    run(JOIN, "-i", tuned / "fold_0/prompts_final.safetensors", "-b", base, "-o", tmp_path / "joined")
    before = predict(tuned, images, tmp_path / "before")
    after = predict(tmp_path / "joined", images, tmp_path / "after")
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert len(np.unique(before[1])) > 1


def test_the_prompt_file_is_small(tuned):
    prompts, whole = (
        tuned / "fold_0" / name for name in ("prompts_final.safetensors", "checkpoint_final.pth")
    )
    assert prompts.stat().st_size < whole.stat().st_size / 2
