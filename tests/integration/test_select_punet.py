"""``nnunet_slpt_select`` with a PUNet: first by its features, then by what its tokens disagree on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import SimpleITK
import torch
from tiny_punet import model_of, pretrain, tune

from nnunet_slpt.selection.cli import main

DATASET = "Dataset801_Tiny"
QUICK = ("-device", "cpu", "-npp", "0", "-nps", "1", "--disable_tta")


@pytest.fixture
def models(task: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folders of a pretrained and of a tuned PUNet; no label is left."""
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    pretrain(task)
    pretrained = task.output().parent
    tune(task, model_of(task))
    task.splits_file.unlink()
    shutil.rmtree(task.raw / DATASET / "labelsTr")
    return pretrained, task.output().parent


def select(model: Path, *arguments: object) -> int:
    return main(["-d", "801", "-m", str(model), *QUICK, *map(str, arguments)])


def test_two_rounds(task: Any, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    pretrained, tuned = models
    home = task.preprocessed / DATASET / "slpt_selection"
    assert select(pretrained, "-n", 2, "--hide_labels", "-strategy", "uncertainty") == 2
    assert "is a PUNet's pretraining" in capsys.readouterr().err
    assert select(pretrained, "-n", 2, "--hide_labels", "--prelabel") == 2
    assert "--prelabel needs predictions" in capsys.readouterr().err
    assert select(pretrained, "-n", 2, "--hide_labels") == 0
    assert select(tuned, "-n", 2, "--hide_labels", "--prelabel") == 0
    rounds = [json.loads((home / f"round_0{number}.json").read_text()) for number in (0, 1)]
    assert [one["strategy"] for one in rounds] == ["kmeans", "hybrid"]
    scored = rounds[1]["cases"]
    assert all(case["scores"]["inter_prompt"] > 0 for case in scored)
    assert len({case["scores"]["inter_prompt"] for case in scored}) == len(scored) == 4
    for name in (case["name"] for case in scored if case["chosen"]):
        label = SimpleITK.ReadImage(str(home / "round_01_to_annotate" / f"{name}.nii.gz"))
        assert label.GetSize() == (24, 22, 20)


def test_a_network_of_one_token_cannot_disagree(
    task: Any, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, tuned = models
    file = tuned / "plans.json"
    plans = json.loads(file.read_text())
    plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]["tokens"] = 1
    file.write_text(json.dumps(plans))
    checkpoint = tuned / "fold_0" / "checkpoint_final.pth"
    content = torch.load(checkpoint, weights_only=False)
    weights = content["network_weights"]
    few = {name for name in weights if name.endswith((".head", ".tokens", ".embeddings"))}
    content["network_weights"] = {name: w[:1] if name in few else w for name, w in weights.items()}
    torch.save(content, checkpoint)
    assert select(tuned, "-n", 2, "--hide_labels", "-strategy", "uncertainty") == 2
    assert "has none. Pass with -m" in capsys.readouterr().err
    assert select(tuned, "-n", 2, "--hide_labels", "-strategy", "diversity") == 0
