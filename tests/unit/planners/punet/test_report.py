"""The command with ``--punet``: what it prints, and which options do not go together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nnunet_slpt.planners.cli import main


def call(*options: str) -> int:
    return main(["-d", "200", "-npp", "1", "--features", "4", "8", *options])


def test_a_report_for_people(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    place.dataset(labelled=3)
    assert call("--punet", "--epochs", "7") == 0
    told = capsys.readouterr().out
    assert "to pretrain a PUNet from scratch, 7 epochs" in told
    assert "PUNet, features 4 8, 16 tokens a class" in told
    assert "about 1.0 GB" in told
    assert (
        "nnunet_slpt_preprocess -d Dataset200_Target -p nnUNetPUNetPlans -c 3d_fullres --unlabelled" in told
    )
    train = (
        "nnUNetv2_train Dataset200_Target 3d_fullres all -tr nnUNetTrainerPUNetPretrain -p nnUNetPUNetPlans"
    )
    assert train in told
    assert told.rstrip().endswith(str(place.preprocessed / "nnUNetPUNetPlans.json"))


def test_the_report_as_json_is_the_file(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    place.dataset()
    assert call("--punet", "--json", "-p", "Mine", "-c", "2d") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((place.preprocessed / "Mine_report.json").read_text())
    assert 1 <= told["gigabytes"]["2d"] < 8
    assert told["next"][0] == "nnunet_slpt_preprocess -d Dataset200_Target -p Mine -c 2d"


def test_a_dry_run_writes_nothing(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    place.dataset()
    assert call("--punet", "--dry_run") == 0
    assert "Nothing was written" in capsys.readouterr().out
    assert not place.preprocessed.exists()


@pytest.mark.parametrize(
    "options", [["-f", "0"], ["-chk", "checkpoint_best.pth"], ["-K", "2"], ["--stem", "repeat"]]
)
def test_options_of_a_model_are_refused(
    place: Any, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    place.dataset()
    assert call("--punet", *options) == 2
    assert f"{options[0]}: meant to tune a model" in capsys.readouterr().err
    assert not place.preprocessed.exists()


def test_options_of_pretraining_are_refused_with_a_model(
    place: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place.dataset()
    assert call("-m", str(place.model()), "--gpu_memory", "4") == 2
    assert "--features, --gpu_memory: meant to pretrain a PUNet" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--punet", "-m", "MODEL"]])
def test_a_model_or_a_punet(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(*options)
    assert "-m" in capsys.readouterr().err
