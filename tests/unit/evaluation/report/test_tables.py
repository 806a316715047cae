"""Tables of a report: every number where it belongs, what is missing by name."""

import re
from pathlib import Path

from made_up_cells import write_cells

from nnunet_slpt.evaluation.cells import Folder, read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.report.tables import all_tables, missing_in_words, wide_table


def experiment_of(folder: Path, *gone: str) -> tuple[Experiment, Folder]:
    write_cells(folder, budgets=[4, 8])
    for name in gone:
        (folder / f"{name}.json").unlink()
    found = read_cells(folder)
    return Experiment.of(found.cells), found


def section(text: str, title: str) -> str:
    return re.split(r"^#+ ", text.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_wide_table(tmp_path: Path) -> None:
    experiment, _ = experiment_of(tmp_path, "slpt__tesla__8__0", "slpt__tesla__8__1")
    header, _, *rows = wide_table(experiment).splitlines()
    assert header == "| labelled cases | 4 | 8 |"
    assert [row.split(" | ")[0] for row in rows] == [
        "| full + random",
        "| full + tesla",
        "| slpt + random",
        "| slpt + tesla",
    ]
    four = experiment.spread(Way("slpt", "tesla"), 4)
    eight = experiment.spread(Way("slpt", "tesla"), 8)
    assert rows[-1] == f"| slpt + tesla | {four.mean:.3f} ± {four.sd:.3f} (3) | {eight.mean:.3f} (1) |"


def test_every_metric_and_class_has_a_table(tmp_path: Path) -> None:
    text = all_tables(*experiment_of(tmp_path))
    for metric in ("Dice", "Normalised surface distance", "Dice by lesion", "Recall of lesions"):
        assert "full + random" in section(text, metric)
        for name in ("RV", "MYO", "LV"):
            assert "full + random" in section(text, f"{metric}: {name}".replace("## ", "### "))


def test_differences_costs_and_calibration(tmp_path: Path) -> None:
    experiment, folder = experiment_of(tmp_path)
    text = all_tables(experiment, folder)
    one = experiment.method_comparisons[Way("slpt", "tesla")][0]
    row = f"| slpt + tesla | 4 | {100 * one.seeds.mean:+.1f} | {100 * (one.seeds.sd or 0):.1f} | 3 |"
    assert row in section(text, "Methods against full")
    assert "slpt + tesla | all |" in section(text, "Strategies against random")
    assert "| slpt + tesla | 52,000 | 1,052,000 | 4.9% | 61.0 | 9.5 | 12.0 | 3.00 |" in section(text, "Costs")
    calibration = section(text, "Does uncertainty tell where the prediction is wrong?")
    assert "slpt + tesla" in calibration
    assert "slpt + random" not in calibration


def test_missing_in_words(tmp_path: Path) -> None:
    assert missing_in_words(*experiment_of(tmp_path / "whole")) == ["Nothing."]
    experiment, folder = experiment_of(tmp_path / "part", "slpt__tesla__8__0", "slpt__tesla__8__2")
    left_out = Folder(folder.cells, {"notes.txt": "no JSON file"})
    text = "\n".join(missing_in_words(experiment, left_out))
    assert "- slpt + tesla, 8 labels: seeds 0, 2" in text
    assert "- `notes.txt`: no JSON file" in text
