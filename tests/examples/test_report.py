"""The demo's report: nnU-Net's summary as table, Markdown, JSON and picture."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from phantom import SyntheticCT
from picture import Sheet, draw, slice_to_show
from report import Scores, read_scores, table, write_report
from synthetic_ct import write_dataset


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    def case(name: str, organ: float, lesion: float | None) -> dict[str, object]:
        return {
            "metrics": {"1": {"Dice": organ}, "2": {"Dice": lesion}},
            "reference_file": f"/somewhere/{name}.nii.gz",
        }

    summary, description = tmp_path / "summary.json", tmp_path / "dataset.json"
    cases = [case("b", 0.9, 0.4), case("a", 0.8, float("nan")), case("c", 1.0, 0.6)]
    summary.write_text(json.dumps({"metric_per_case": cases}))
    labels = {"background": 0, "organ": 1, "lesion": 2}
    description.write_text(json.dumps({"labels": labels, "file_ending": ".nii.gz"}))
    return read_scores(summary, description)


def test_scores_are_read_by_case_and_class(scores: Scores) -> None:
    assert list(scores.dice) == ["a", "b", "c"]
    assert scores.dice["b"] == {"organ": 0.9, "lesion": 0.4}
    assert scores.mean == pytest.approx({"organ": 0.9, "lesion": 0.5})  # without the NaN of case a
    assert scores.worst_to_best() == ["b", "a", "c"]


def test_the_table_has_a_row_for_each_case_and_the_mean(scores: Scores) -> None:
    assert table(scores).splitlines() == [
        "| case     | organ     | lesion    |",
        "|----------|----------:|----------:|",
        "| a        | 0.800     | -         |",
        "| b        | 0.900     | 0.400     |",
        "| c        | 1.000     | 0.600     |",
        "| **mean** | **0.900** | **0.500** |",
    ]


def test_the_report_says_how_it_was_measured(scores: Scores, tmp_path: Path) -> None:
    write_report(scores, tmp_path / "new", {"seed": 3})
    assert table(scores) in (tmp_path / "new" / "results.md").read_text()
    results = json.loads((tmp_path / "new" / "results.json").read_text())
    assert results["seed"] == 3
    assert results["dice"]["a"] == {"organ": 0.8, "lesion": None}


def test_a_summary_of_another_dataset_is_refused(scores: Scores, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"x": 9}, "file_ending": ".nii.gz"}))
    with pytest.raises(ValueError, match=r"has none of the classes \{'x': 9\}"):
        read_scores(tmp_path / "summary.json", tmp_path / "dataset.json")


def test_the_slice_shown_has_all_classes_and_most_of_the_rarest() -> None:
    truth = np.zeros((5, 6, 6), dtype=np.int64)
    truth[1:5, 1:5, 1:5] = 1
    truth[1, 1, 1] = truth[3, 1:3, 1:3] = 2
    truth[0, :3, :3] = 2  # more of it, but without the other class
    assert slice_to_show(truth) == 3
    assert slice_to_show(np.zeros_like(truth)) == 2


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    spec = SyntheticCT(shape=(16, 40, 40))
    folder = write_dataset(tmp_path, 1, "One", 1, test_cases=1, spec=spec)
    truth = folder / "labelsTs"
    sheet = Sheet(folder / "imagesTs", truth, truth, ".nii.gz", {1: "organ", 2: "lesion"}, is_ct=True)
    draw(sheet, {"one_001": "a case"}, "Title", tmp_path / "picture.png")
    pixels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "picture.png")))
    assert min(pixels.shape[:2]) > 400
    coloured = np.ptp(pixels[..., :3].astype(int), axis=-1) > 60
    assert coloured.mean() > 0.005
