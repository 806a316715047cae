"""``nnunet_slpt_select --prelabel`` on the tiny task: nnU-Net's own prediction, and no work is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

from nnunet_slpt.errors import FileError
from nnunet_slpt.selection.cli import main
from nnunet_slpt.selection.handover import prelabel

DATASET = "Dataset801_Tiny"
QUICK = ("-device", "cpu", "-npp", "0", "-nps", "1", "--disable_tta")


class Campaign:
    """The tuned task with images that lie askew and no labels yet."""

    def __init__(self, task: Any) -> None:
        self.task, self.raw = task, task.raw / DATASET
        self.home = task.preprocessed / DATASET / "slpt_selection"
        self.opened, self.predicted = (
            self.home / f"round_00_{name}" for name in ("to_annotate", "prelabels")
        )
        self.prompted = task.results / DATASET / "nnUNetTrainerSLPT__nnUNetPlans__3d_fullres"
        for label in (self.raw / "labelsTr").iterdir():
            label.unlink()
        for file in (self.raw / "imagesTr").iterdir():
            image = SimpleITK.ReadImage(str(file))
            image.SetSpacing((1.0, 1.0, 1.4))
            image.SetOrigin((-7.0, 3.0, 20.0))
            image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, -1))
            SimpleITK.WriteImage(image, str(file))

    def select(self, *arguments: object, model: Path | None = None) -> int:
        return main(["-d", "801", "-m", str(model or self.prompted), *QUICK, *map(str, arguments)])

    def chosen(self) -> list[str]:
        content = json.loads((self.home / "round_00.json").read_text())
        return [case["name"] for case in content["cases"] if case["chosen"]]

    def image(self, case: str) -> Path:
        return Path(self.raw / "imagesTr" / f"{case}_0000.nii.gz")

    def relabel(self, labels: dict[str, int]) -> None:
        about = json.loads((self.raw / "dataset.json").read_text())
        (self.raw / "dataset.json").write_text(json.dumps(about | {"labels": labels}))

    def stock(self, model: Path, case: str) -> Any:
        """What nnU-Net's own predictor writes for a case."""
        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(model), (0,))
        target = self.task.folder / "stock" / case
        target.parent.mkdir(exist_ok=True)
        predictor.predict_from_files_sequential([[str(self.image(case))]], [str(target)])
        return SimpleITK.ReadImage(f"{target}.nii.gz")


@pytest.fixture
def campaign(tuned_copy: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    tuned_copy.splits_file.unlink()
    # With "-device cpu" it would take every core from then on, those that others use too.
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return Campaign(tuned_copy)


def voxels(image: Any) -> Any:
    return SimpleITK.GetArrayFromImage(image)


def test_it_is_what_nnunet_predicts_and_lies_on_the_image(campaign: Campaign) -> None:
    assert campaign.select("-n", 2, "--prelabel") == 0
    worklist = campaign.home / "to_annotate.csv"
    assert (campaign.opened / "to_annotate.csv").read_bytes() == worklist.read_bytes()
    for case in campaign.chosen():
        expected = campaign.stock(campaign.prompted, case)
        label = SimpleITK.ReadImage(str(campaign.opened / f"{case}.nii.gz"))
        unsure = SimpleITK.ReadImage(str(campaign.opened / f"{case}_uncertainty.nii.gz"))
        np.testing.assert_array_equal(voxels(label), voxels(expected))
        for drawn in (label, unsure):
            assert drawn.GetPixelID() == SimpleITK.sitkUInt8
            for what in ("Size", "Spacing", "Origin", "Direction"):
                assert getattr(drawn, f"Get{what}")() == getattr(expected, f"Get{what}")()
        assert 0 < voxels(unsure).max() <= 100
        assert (campaign.predicted / f"{case}.nii.gz").read_bytes() == (
            campaign.opened / f"{case}.nii.gz"
        ).read_bytes()


def test_the_labels_of_another_task_are_taken_over_by_name(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    model = campaign.task.ordinary_model()
    campaign.relabel({"background": 0, "lesion": 1, "organ": 2})
    assert campaign.select("-n", 2, "--prelabel", model=model) == 0
    assert "The model does not know lesion" in capsys.readouterr().out
    for case in campaign.chosen():
        label = voxels(SimpleITK.ReadImage(str(campaign.opened / f"{case}.nii.gz")))
        np.testing.assert_array_equal(label, 2 * voxels(campaign.stock(model, case)))
        assert label.any()


def test_a_round_stands_even_if_its_pre_labels_cannot_be_written(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_room(*_: object) -> None:
        raise FileError("no room.")

    with monkeypatch.context() as patch:
        patch.setattr("nnunet_slpt.selection.workflow.write_prelabels", no_room)
        assert campaign.select("-n", 2, "--prelabel") == 2
    assert "Round 0 is made, but not all that was to lie beside it: no room." in capsys.readouterr().err
    assert campaign.select("--prelabel") == 0
    assert all((campaign.opened / f"{case}.nii.gz").exists() for case in campaign.chosen())


def _without_a_common_name(campaign: Campaign) -> tuple[object, ...]:
    campaign.relabel({"background": 0, "spleen": 1})
    return ("-n", 2)


def _without_writing(campaign: Campaign) -> tuple[object, ...]:
    return ("-n", 2, "--dry_run")


def _without_a_round(campaign: Campaign) -> tuple[object, ...]:
    return ()


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_without_a_common_name, "no label of the model (organ, lesion) has the name"),
        (_without_writing, "--dry_run"),
        (_without_a_round, "Add -n BUDGET"),
    ],
)
def test_refused_with_nothing_written(
    campaign: Campaign,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Campaign], tuple[object, ...]],
    words: str,
) -> None:
    assert campaign.select(*prepare(campaign), "--prelabel") == 2
    assert words in capsys.readouterr().err
    assert not campaign.task.splits_file.exists()
    assert not list(campaign.home.glob("round_*"))


def test_what_is_saved_while_the_network_looks_stays(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert campaign.select("-n", 2, "-strategy", "random", "--prelabel") == 0
    corrected = campaign.opened / f"{campaign.chosen()[0]}.nii.gz"
    predict = prelabel.predict

    def while_somebody_saves(*arguments: Any) -> Any:
        corrected.write_bytes(b"a morning's work")
        return predict(*arguments)

    monkeypatch.setattr(prelabel, "predict", while_somebody_saves)
    capsys.readouterr()
    assert campaign.select("--prelabel", model=campaign.task.ordinary_model()) == 0
    assert corrected.read_bytes() == b"a morning's work"
    told = capsys.readouterr().out
    assert "Wrote pre-labels of 1 cases" in told
    assert f"somebody has changed them: {campaign.chosen()[0]}" in told


def test_afterwards_again_and_undone(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign.select("-n", 2, "-strategy", "random") == 0
    before = (campaign.home / "round_00.json").read_bytes()
    assert campaign.select("--prelabel") == 0
    assert (campaign.home / "round_00.json").read_bytes() == before
    one, other = campaign.chosen()
    corrected, forgotten = (campaign.opened / f"{case}.nii.gz" for case in (one, other))
    corrected.write_bytes(b"a morning's work")
    forgotten.unlink()
    assert campaign.select("--prelabel") == 0
    assert f"somebody has changed them: {one}" in capsys.readouterr().out
    assert corrected.read_bytes() == b"a morning's work"
    assert forgotten.exists()
    first = (campaign.opened / f"{other}.nii.gz").read_bytes()
    worklist = campaign.opened / "to_annotate.csv"
    worklist.write_text("my notes")
    assert campaign.select("--prelabel", model=campaign.task.ordinary_model()) == 0  # a better one by now
    assert worklist.read_text() == "my notes"
    predicted = campaign.home / "round_00_prelabels"
    assert (predicted / f"{other}.nii.gz").read_bytes() != first
    assert (predicted / "earlier" / "00" / f"{other}.nii.gz").read_bytes() == first
    of_whom = [
        json.loads((folder / "model.json").read_text()) for folder in (predicted, predicted / "earlier/00")
    ]
    assert [about["cases"] for about in of_whom] == [[other], sorted([one, other])]
    assert of_whom[0]["model"] != of_whom[1]["model"]
    assert campaign.select("--prelabel", "-n", "") == 2
    capsys.readouterr()
    assert main(["-d", "801", "--undo"]) == 0
    assert f"{campaign.home / 'undone_00_round_00_to_annotate'} now" in capsys.readouterr().out
    assert not list(campaign.home.glob("round_00_to_annotate/*"))
    kept = campaign.home / "undone_00_round_00_to_annotate" / corrected.name
    assert kept.read_bytes() == b"a morning's work"
