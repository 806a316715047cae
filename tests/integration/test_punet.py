"""PUNet's two trainers through nnU-Net's own commands: pretrain a body, tune tokens of new classes in it."""

from __future__ import annotations

import json
import re
from typing import Any

import SimpleITK
import torch
from nnunetv2.inference.predict_from_raw_data import predict_entry_point
from tiny_punet import model_of, pretrain, tune


def predicted(task: Any) -> Any:
    chosen = ["-d", "801", "-c", "3d_fullres", "-tr", task.trainer_name, "-f", "0"]
    slow = ["-npp", "0", "-nps", "0", "-device", "cpu", "--disable_tta"]
    task.command(predict_entry_point, "-i", task.images, "-o", task.folder / "out", *chosen, *slow)
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(task.folder / "out" / "new.nii.gz")))


def test_a_body_is_pretrained_and_tokens_are_tuned_in_it(task: Any) -> None:
    pretrain(task, concurrent=["organ"])
    assert re.search(r"Entropy of the teacher's assignment: 0\.\d+", task.log())
    pretrained = task.checkpoint()
    assert pretrained["teacher_weights"]
    body = {name: tensor for name, tensor in pretrained["network_weights"].items() if "body." in name}
    tune(task, model_of(task))
    after = task.checkpoint()["network_weights"]
    assert all(torch.equal(after[name], tensor) for name, tensor in body.items())
    assert "2 of 2 classes start from the pretrained tokens" in task.log()
    assert (task.output() / "tokens_final.safetensors").is_file()
    assert predicted(task).shape == (20, 22, 24)
    written = json.loads((task.output().parent / "plans.json").read_text())["slpt"]
    assert written["classes"] == ["organ", "lesion"]
