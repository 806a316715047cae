"""The one page: its sentences say what the cells say, and no more than they can."""

from pathlib import Path

from made_up_cells import write_cells

from nnunet_slpt.evaluation.cells import read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.report.summary import summary


def page(folder: Path, **grid: object) -> tuple[str, Experiment]:
    found = read_cells(write_cells(folder, **grid))  # type: ignore[arg-type]
    experiment = Experiment.of(found.cells)
    return summary(experiment, found, ["dice"]), experiment


def test_headline_numbers(tmp_path: Path) -> None:
    text, experiment = page(tmp_path)
    best, usual = (experiment.spread(Way(*way), 4) for way in (("slpt", "tesla"), ("full", "random")))
    full = experiment.spread(Way("full", "random"), 80)
    assert best.mean is not None
    assert full.mean is not None
    assert f"the best is slpt + tesla: Dice {best.mean:.3f} ± {best.sd:.3f} (3 seeds)" in text
    assert f"the reference, full + random, has {usual.mean:.3f}" in text
    assert (
        f"That is {best.mean / full.mean:.0%} of the {full.mean:.3f} that the reference reaches with 80"
        in text
    )
    one = experiment.method_comparisons[Way("slpt", "tesla")][-1]
    assert f"slpt {100 * one.seeds.mean:+.1f} points (ahead in {one.seeds.win_rate * 3:g} of 3 seeds" in text
    assert "slpt tunes 4.94% of its parameters and trains for 61 s" in text
    assert "![Mean Dice on the test cases against labelled cases](dice.png)" in text


def test_the_best_has_as_many_seeds_as_any(tmp_path: Path) -> None:
    folder = write_cells(tmp_path)
    for seed in (1, 2):
        (folder / f"slpt__tesla__4__{seed}.json").unlink()
    found = read_cells(folder)
    experiment = Experiment.of(found.cells)
    lucky, baseline = (experiment.spread(Way(name, "tesla"), 4) for name in ("slpt", "full"))
    assert (lucky.n, baseline.n) == (1, 3)
    assert lucky.mean is not None
    assert baseline.mean is not None
    assert lucky.mean > baseline.mean
    text = summary(experiment, found, [])
    assert f"the best of those with 3 seeds is full + tesla: Dice {baseline.mean:.3f}" in text
    assert f"Higher, but with fewer seeds: slpt + tesla, {lucky.mean:.3f} (1 seed)." in text


def test_differences_are_ranked_at_the_same_budgets_alone(tmp_path: Path) -> None:
    write_cells(tmp_path, ["full", "slpt", "scratch"], ["random"], [4, 80])
    found = read_cells(write_cells(tmp_path, ["head", "lora"], ["random"], [4]))
    told = summary(Experiment.of(found.cells), found, []).splitlines()
    both, few = (line for line in told if line.startswith("- Against full"))
    assert ", mean over 4, 80 labelled cases: slpt " in both
    assert "scratch" in both
    assert ", with 4 labelled cases: " in few
    assert "slpt" not in few
    assert "head" in few


def test_a_difference_is_told_where_it_has_the_most_seeds(tmp_path: Path) -> None:
    folder = write_cells(tmp_path, ["full", "slpt", "scratch"], ["random"], [4, 8])
    for seed in (1, 2):
        (folder / f"slpt__random__8__{seed}.json").unlink()
    found = read_cells(folder)
    experiment = Experiment.of(found.cells)
    told = summary(experiment, found, []).splitlines()
    both, few = (line for line in told if line.startswith("- Against full"))
    assert ", mean over 4, 8 labelled cases: scratch " in both
    one = experiment.method_comparisons[Way("slpt", "random")][0]
    assert one.budget == 4
    assert f", with 4 labelled cases: slpt {100 * one.seeds.mean:+.1f} points (ahead in " in few
    assert " of 3 seeds and " in few
    (folder / "slpt__random__4__0.json").unlink()  # now no seed has both
    found = read_cells(folder)
    assert ", with 4 labelled cases: slpt " in summary(Experiment.of(found.cells), found, [])


def test_few_seeds_have_no_p_value_and_it_says_why(tmp_path: Path) -> None:
    few, _ = page(tmp_path / "few", budgets=[4], seeds=range(5))
    assert "With fewer than 6 seeds" in few
    assert "It counts each case as a patient of its own." in few
    assert "over seeds" not in few.partition("Dice says")[0].replace("deviation over seeds", "")
    many, _ = page(tmp_path / "many", budgets=[4], seeds=range(6))
    assert "With fewer than 6 seeds" not in many
    assert "over seeds, p" in many


def test_says_what_is_missing_and_keeps_it_short(tmp_path: Path) -> None:
    whole, _ = page(tmp_path / "whole", budgets=[4])
    assert "## What is missing\n\nNothing." in whole
    names = [f"way_{number}" for number in range(12)]
    folder = write_cells(tmp_path / "part", names, ["random"], [4, 8], [0, 1])
    for name in names:
        (folder / f"{name}__random__8__1.json").unlink()
    found = read_cells(folder)
    text = summary(Experiment.of(found.cells), found, [])
    assert "12 trainings that others have, 0 pairs of method and strategy, and 0 files" in text
    assert "6 more are behind these" in text
