"""The grid: its reference, its order, areas over common budgets, what is missing."""

from pathlib import Path

import pytest
from made_up_cells import write_cells

from nnunet_slpt.errors import EvaluationError
from nnunet_slpt.evaluation.cells import Cell, read_cells
from nnunet_slpt.evaluation.experiment import Experiment, Way
from nnunet_slpt.evaluation.means import budget_area, score


def cells(folder: Path, *gone: str, **grid: object) -> tuple[Cell, ...]:
    write_cells(folder, **grid)  # type: ignore[arg-type]
    for name in gone:
        (folder / f"{name}.json").unlink()
    return read_cells(folder).cells


def test_reference_is_full_fine_tuning_on_random_cases(tmp_path: Path) -> None:
    found = cells(
        tmp_path, methods=["bias", "full_sgd", "full_adamw"], strategies=["bald", "random"], budgets=[4]
    )
    experiment = Experiment.of(found)
    assert experiment.reference == Way("full_adamw", "random")
    assert experiment.methods == ["full_adamw", "bias", "full_sgd"]
    assert experiment.strategies == ["random", "bald"]
    assert Experiment.of(found, "bias", "bald").reference == Way("bias", "bald")


def test_of_several_ways_of_full_fine_tuning_the_reference_has_the_most_cells(tmp_path: Path) -> None:
    cells(tmp_path, methods=["full_adamw", "full_slow"], strategies=["random"], budgets=[4], seeds=[0])
    found = cells(tmp_path, methods=["full_sgd", "lora"], strategies=["random"], budgets=[4, 8])
    assert Experiment.of(found).reference.method == "full_sgd"


def test_reference_without_either_is_the_first_by_name(tmp_path: Path) -> None:
    found = cells(tmp_path, methods=["slpt", "bias"], strategies=["tesla", "bald"], budgets=[4])
    assert Experiment.of(found).reference == Way("bias", "bald")


def test_unknown_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="unknown method 'sltp'; known: full, slpt"):
        Experiment.of(cells(tmp_path, budgets=[4]), "sltp")


def test_comparisons_keep_the_other_half_the_same(tmp_path: Path) -> None:
    experiment = Experiment.of(cells(tmp_path, "full__tesla__4__0", budgets=[4], seeds=[0]))
    assert list(experiment.method_comparisons) == [Way("slpt", "random")]
    assert list(experiment.strategy_comparisons) == [Way("slpt", "tesla")]
    (one,) = experiment.method_comparisons[Way("slpt", "random")]
    ours, theirs = (score(*experiment.select(Way(name, "random"))) for name in ("slpt", "full"))
    assert ours is not None
    assert theirs is not None
    assert one.seeds.mean == pytest.approx(ours - theirs)


def test_area_is_over_the_budgets_that_all_curves_have(tmp_path: Path) -> None:
    gone = [f"slpt__tesla__80__{seed}" for seed in range(3)] + ["slpt__tesla__8__1"]
    gone += [f"full__tesla__{budget}__{seed}" for budget in (4, 8, 16) for seed in range(3)]
    experiment = Experiment.of(cells(tmp_path, *gone))
    assert experiment.area_budgets == [4, 8, 16]  # of full + tesla there is no curve, only a point
    slpt = Way("slpt", "tesla")
    curves = [
        {cell.budget: score(cell) or 0 for cell in experiment.select(slpt) if cell.seed == seed}
        for seed in (0, 2)
    ]
    area = experiment.area(slpt)
    assert area.n == 2  # seed 1 lacks a budget
    assert area.mean == pytest.approx(sum(map(budget_area, curves)) / 2)
    assert experiment.area(Way("full", "tesla")).n == 0


def test_no_area_of_a_single_budget(tmp_path: Path) -> None:
    experiment = Experiment.of(cells(tmp_path, budgets=[4]))
    assert experiment.area_budgets == []
    assert experiment.area(Way("slpt", "tesla")).n == 0


def test_missing_cells_are_named(tmp_path: Path) -> None:
    gone = [f"full__tesla__{budget}__{seed}" for budget in (4, 8) for seed in range(3)] + [
        "slpt__tesla__8__1"
    ]
    experiment = Experiment.of(cells(tmp_path, *gone, budgets=[4, 8]))
    assert list(experiment.missing()) == [(Way("slpt", "tesla"), 8, [1])]
    assert experiment.never_run == [Way("full", "tesla")]
