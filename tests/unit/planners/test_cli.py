"""The command: what it prints, its exit code, and that a dry run writes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nnunet_slpt.planners.cli import main


def call(place: Any, *options: str) -> int:
    return main(["-d", "200", "-npp", "1", "-m", str(place.folder / "models/Dataset100_Source"), *options])


@pytest.fixture
def place(place: Any) -> Any:
    place.dataset(labelled=3)
    place.model()
    return place


def test_a_report_for_people(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "--patch_size", "16", "16", "32", "--epochs", "7", "-K", "4") == 0
    told = capsys.readouterr().out
    assert "16 x 16 x 32 (model: 16 x 16 x 16)" in told
    assert "K = 4, 7 epochs" in told
    assert "note: labels: known by name: organ." in told
    assert "nnUNetv2_train Dataset200_Target 3d_fullres all -tr nnUNetTrainerSLPT -p nnUNetSLPTPlans" in told
    assert told.rstrip().endswith(str(place.preprocessed / "nnUNetSLPTPlans.json"))


def test_the_report_as_json_is_the_file(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "--json", "-plans_name", "Mine", "--batch_size", "3") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((place.preprocessed / "Mine_report.json").read_text())
    assert told["carried_over"]["batch"] == "3 (model: 4)"


def test_a_dry_run_writes_nothing(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "--dry_run") == 0
    assert "Nothing was written" in capsys.readouterr().out
    assert not place.preprocessed.exists()


def test_a_refusal_has_code_2_and_a_reason(place: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(place, "-f", "9") == 2
    told = capsys.readouterr()
    assert told.err.startswith("nnunet_slpt_plan: There is no fold_9/")
    assert not told.out


@pytest.mark.parametrize("kind", [["-m", "MODEL"], ["--punet"]])
def test_no_image_is_read_where_nothing_can_be_written(
    place: Any, kind: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_early(*_: Any) -> None:
        raise AssertionError("it reads images")

    monkeypatch.setattr("nnunet_slpt.planners.target.extract_fingerprint", too_early)
    model = str(place.folder / "models/Dataset100_Source")
    place.preprocessed.parent.rmdir()
    place.preprocessed.parent.touch()  # for root, no folder is read-only
    assert main(["-d", "200", *(model if one == "MODEL" else one for one in kind)]) == 2
    assert "preprocessed cannot be written to" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--batch_size", "0"], ["-npp", "-1"], ["--stem", "tile"], ["--patch_size", "big"]]
)
def test_wrong_values_are_the_parsers(place: Any, wrong: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(place, *wrong)


@pytest.mark.parametrize(
    "labels", [{"0": "background", "1": "organ"}, {"background": 0, "all": [1, 2], "a": 1}]
)
@pytest.mark.parametrize("kind", [["-m", "anything"], ["--punet"]])
def test_labels_that_nnunet_does_not_understand_are_told(
    place: Any, labels: Any, kind: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "raw" / "Dataset200_Target" / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"labels": labels}))
    assert main(["-d", "200", "-npp", "1", *kind]) == 2
    assert "nnU-Net does not understand the labels in dataset.json" in capsys.readouterr().err
