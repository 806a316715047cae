"""The commands of a campaign; one whose folder was lost goes on where its cells end, as these tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.datasets import Case
from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation import campaign as module
from nnunet_slpt.simulation.campaign import Settings, run_campaign
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.source import Source
from nnunet_slpt.simulation.stage import Stage
from nnunet_slpt.simulation.steps import Steps
from nnunet_slpt.tuning_methods import UNET

POOL = ("a", "b", "c", "d")


class Recorded(Steps):
    """Steps that run nothing, but leave what the commands would."""

    def __init__(self, stage: Stage, order: str) -> None:
        super().__init__(stage.logs)
        object.__setattr__(self, "stage", stage)
        object.__setattr__(self, "order", list(order))
        object.__setattr__(self, "ran", [])
        object.__setattr__(self, "asked", [])
        object.__setattr__(self, "results", {})

    def _exit_code(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        costs, command = Path(words[3]), words[4:]
        name = costs.stem
        self.ran.append(name)  # type: ignore[attr-defined]
        self.results[name] = Path(environment["nnUNet_results"])  # type: ignore[attr-defined]
        log.write_text("Prompts: 1,000 frozen and 20 tuned parameters")
        if "-strategy" in command:
            self.asked.append((name, command[command.index("-strategy") + 1]))  # type: ignore[attr-defined]
        if name.endswith("choose"):
            self.choose(int(command[4]))
        elif name.endswith("tune"):
            self.tune(Path(environment["nnUNet_results"]), command[command.index("-tr") + 1])
        elif name.endswith("ask"):
            chosen = list(chain(*self.stage.chosen()))  # type: ignore[attr-defined]
            cases = [{"name": one, "value": 0.5} for one in POOL if one not in chosen]
            log.write_text("Asked.\n" + json.dumps({"cases": cases}, indent=1))
        costs.write_text(json.dumps({"command": command, "seconds": 1.0, "peak_memory_bytes": 1}))
        return 0

    def tune(self, results: Path, trainer: str) -> None:
        used = {"prompts": 3, "pretrained_checkpoint": "/a/path", "pretrained_sha256": "0f"}
        model = results / self.stage.dataset / f"{trainer}__P__3d_fullres"  # type: ignore[attr-defined]
        model.mkdir(parents=True, exist_ok=True)
        (model / "plans.json").write_text(json.dumps({"slpt": used}))

    def choose(self, budget: int) -> None:
        stage, order = self.stage, self.order  # type: ignore[attr-defined]
        before = sum(map(len, stage.chosen()))
        handed_over = {file.name for file in (stage.raw / "labelsTr").iterdir()}
        assert handed_over == {f"{name}.nii.gz" for name in order[:before]}  # or the command would refuse
        cases = [{"name": name, "chosen": True} for name in order[before : before + budget]]
        stage.rounds.mkdir(parents=True, exist_ok=True)
        (stage.rounds / f"round_{len(stage.chosen()):02d}.json").write_text(json.dumps({"cases": cases}))


def scored(
    source: Source, names: Sequence[str], predictions: Path, tolerance_mm: float, processes: int
) -> dict[str, dict[str, Any]]:
    assert (tolerance_mm, processes) == (2, 0)  # of the settings
    return {name: {} for name in names}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    raw = tmp_path / "source" / "Dataset007_Toy"
    raw.mkdir(parents=True)
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps(about))
    cases = {}
    for name in (*POOL, "t"):
        label = raw / "labelsTr" / f"{name}.nii.gz"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(name)
        cases[name] = Case(name, (raw / "imagesTr" / f"{name}_0000.nii.gz",), label, labelled=True)
    monkeypatch.setattr(module, "score_cases", scored)
    monkeypatch.setattr(module, "FEWEST_TO_RANK", 2)  # there are four
    return Source(raw, cases, POOL, ("t",))


def play(tmp_path: Path, source: Source, strategy: str, budgets: tuple[int, ...], order: str) -> list[str]:
    """Run a campaign in a folder that is new each time, with cells that stay; the names of the steps."""
    ran: list[str] = played(tmp_path, source, strategy, budgets, order).ran  # type: ignore[attr-defined]
    return ran


def played(
    tmp_path: Path,
    source: Source,
    strategy: str,
    budgets: tuple[int, ...],
    order: str,
    calibrate: bool = False,
    mirroring: bool = False,
    seed: int = 0,
) -> Recorded:
    """As ``play``; all that was recorded."""
    number = len(list(tmp_path.glob("work*")))
    shared = tmp_path / "shared"
    for kind, content in (("raw", {}), ("preprocessed", {"slpt": {}})):
        folder = shared / kind / source.folder.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("dataset.json" if kind == "raw" else "P.json")).write_text(json.dumps(content))
    stage = Stage(tmp_path / f"work{number}", shared, source, "P")
    settings = Settings(
        models={UNET: tmp_path / "pretrained" / "fold_all" / "checkpoint_best.pth"},
        configuration="3d_fullres",
        device="cpu",
        processes=0,
        training={},
        mirroring=mirroring,
        calibrate=calibrate,
        tolerance_mm=2,
    )
    cells = tmp_path / "cells"
    cells.mkdir(exist_ok=True)
    steps = Recorded(stage, order)
    list(run_campaign(Campaign("slpt", strategy, seed, budgets), stage, settings, steps, cells))
    return steps


def cell_of(tmp_path: Path, budget: int, strategy: str = "random") -> dict[str, Any]:
    file = tmp_path / "cells" / f"slpt__{strategy}__{budget}__0.json"
    content: dict[str, Any] = json.loads(file.read_text())
    return content


ALL = ["choose", "preprocess", "tune", "predict_test"]


def test_a_larger_budget_goes_on_in_a_new_folder(tmp_path: Path, source: Source) -> None:
    assert play(tmp_path, source, "random", (2,), "cabd") == [f"00_{step}" for step in ALL]
    ran = play(tmp_path, source, "random", (2, 3), "cabd")
    assert ran == ["00_choose", *(f"01_{step}" for step in ALL)]  # nothing is tuned twice
    assert cell_of(tmp_path, 3)["labelled"] == ["c", "a", "b"]
    assert play(tmp_path, source, "random", (2, 3), "cabd") == []


def test_a_choice_by_the_tuned_network_needs_it_again(tmp_path: Path, source: Source) -> None:
    play(tmp_path, source, "tesla", (2,), "cabd")
    ran = play(tmp_path, source, "tesla", (2, 3), "cabd")
    assert ran == ["00_choose", "00_preprocess", "00_tune", *(f"01_{step}" for step in ALL)]


def test_each_round_is_chosen_by_the_strategy_whose_turn_it_is(tmp_path: Path, source: Source) -> None:
    steps = played(tmp_path, source, "random+hybrid", (1, 2), "cabd", calibrate=True)
    asked = [("00_choose", "random"), ("00_ask", "hybrid"), ("01_choose", "hybrid"), ("01_ask", "hybrid")]
    assert steps.asked == asked  # type: ignore[attr-defined]
    steps = played(tmp_path, source, "clasp_pe", (2, 3), "cabd")
    assert steps.asked == [("00_choose", "kmeans"), ("01_choose", "clasp_pe")]  # type: ignore[attr-defined]


def test_choices_that_come_out_otherwise_are_not_mixed(tmp_path: Path, source: Source) -> None:
    play(tmp_path, source, "random", (2,), "cabd")
    with pytest.raises(SimulationError, match="Round 0 of slpt__random__0 chose other cases"):
        play(tmp_path, source, "random", (2, 3), "dabc")


def test_a_cell_that_was_cut_short_is_named(tmp_path: Path, source: Source) -> None:
    play(tmp_path, source, "random", (2,), "cabd")
    (tmp_path / "cells/slpt__random__2__0.json").write_text('{"format"')
    with pytest.raises(SimulationError, match=r"slpt__random__2__0\.json is no finished cell"):
        play(tmp_path, source, "random", (2, 3), "cabd")


def test_parameters_are_read_from_the_log(tmp_path: Path, source: Source) -> None:
    play(tmp_path, source, "random", (2,), "cabd")
    costs = cell_of(tmp_path, 2)["costs"]
    assert (costs["parameters"], costs["tuned_parameters"]) == (1020, 20)


@pytest.mark.parametrize(
    ("killed_in", "training", "prediction"), [("tune", None, 1.0), ("predict_test", 7.0, None)]
)
def test_a_command_that_was_begun_before_has_no_duration(
    tmp_path: Path, source: Source, killed_in: str, training: float | None, prediction: float | None
) -> None:
    work = tmp_path / "work1"  # as a call that was killed there has left it
    model = work / "results/round_00/Dataset007_Toy/nnUNetTrainerSLPT__P__3d_fullres"
    (model / "fold_0").mkdir(parents=True)
    (model / "fold_0" / "checkpoint_best.pth").touch()
    (model / "plans.json").write_text(json.dumps({"slpt": {}}))
    (work / "logs").mkdir()
    (work / "logs" / "00_tune.log").touch()
    (work / "logs" / f"00_{killed_in}.log").touch()
    if killed_in == "predict_test":
        costs = {"command": ["nnUNetv2_train"], "seconds": 7.0, "peak_memory_bytes": 1}
        (work / "logs" / "00_tune.json").write_text(json.dumps(costs))
    play(tmp_path, source, "random", (2,), "cabd")
    costs = cell_of(tmp_path, 2)["costs"]
    assert (costs["train_seconds"], costs["predict_seconds"]) == (training, prediction)
    assert costs["select_seconds"] == 1


@pytest.mark.parametrize(
    ("begun", "seconds"), [(None, 2.0), ("00_ask", None), ("01_choose", None), ("01_tune", 2.0)]
)
def test_what_was_seen_to_calibrate_counts_for_the_choice_that_finds_it(
    tmp_path: Path, source: Source, begun: str | None, seconds: float | None
) -> None:
    if begun:
        log = tmp_path / "work1" / "logs" / f"{begun}.log"  # as a call that was killed has left it
        log.parent.mkdir(parents=True)
        log.touch()
    played(tmp_path, source, "random+hybrid", (1, 2), "cabd", calibrate=True)
    costs = [cell_of(tmp_path, budget, "random+hybrid")["costs"]["select_seconds"] for budget in (1, 2)]
    assert costs == [1.0, seconds]


def test_a_cell_tells_what_its_tuning_was_told_but_for_paths(tmp_path: Path, source: Source) -> None:
    play(tmp_path, source, "random", (2,), "cabd")
    assert cell_of(tmp_path, 2)["tuning"] == {
        "trainer": "nnUNetTrainerSLPT",
        "prompts": 3,
        "pretrained_sha256": "0f",
    }


def option(steps: Recorded, step: str, flag: str) -> str:
    """What follows a flag in the command of a step."""
    words = steps.costs(step)["command"]
    assert words.count(flag) == 1
    return str(words[words.index(flag) + 1])


def test_everything_random_follows_the_seed_of_the_campaign(tmp_path: Path, source: Source) -> None:
    steps = played(tmp_path, source, "random+hybrid", (1, 2), "cabd", calibrate=True, seed=5)
    assert {option(steps, step, "--seed") for step in ("00_choose", "00_ask", "01_choose")} == {"5"}
    plans = tmp_path / "work0" / "preprocessed" / "Dataset007_Toy" / "P.json"
    assert json.loads(plans.read_text())["slpt"]["seed"] == 5


def test_the_first_choice_asks_the_pretrained_model_and_others_that_of_the_round_before(
    tmp_path: Path, source: Source
) -> None:
    steps = played(tmp_path, source, "random+hybrid", (1, 2, 3), "cabd", calibrate=True)
    first = [option(steps, "00_choose", flag) for flag in ("-m", "-f", "-chk")]
    assert first == [str(tmp_path / "pretrained"), "all", "checkpoint_best.pth"]
    asked = {step: Path(option(steps, step, "-m")) for step in ("00_ask", "01_choose", "01_ask", "02_choose")}
    model = Path("Dataset007_Toy") / "nnUNetTrainerSLPT__P__3d_fullres"
    results = steps.results  # type: ignore[attr-defined]  # where each tuning writes
    assert asked["00_ask"] == asked["01_choose"] == results["00_tune"] / model
    assert asked["01_ask"] == asked["02_choose"] == results["01_tune"] / model
    assert len({results[f"0{number}_tune"] for number in range(3)}) == 3


def test_the_test_cases_are_predicted_by_the_model_that_was_just_tuned(
    tmp_path: Path, source: Source
) -> None:
    steps = played(tmp_path, source, "random", (1, 2), "cabd")
    for number in ("00", "01"):
        tuned, predicts = f"{number}_tune", f"{number}_predict_test"
        assert steps.results[tuned] == steps.results[predicts]  # type: ignore[attr-defined]
        for flag in ("-tr", "-p"):
            assert option(steps, tuned, flag) == option(steps, predicts, flag)
        dataset, configuration, fold = steps.costs(tuned)["command"][1:4]
        told = [option(steps, predicts, flag) for flag in ("-d", "-c", "-f")]
        assert told == [dataset, configuration, fold]


@pytest.mark.parametrize("mirroring", [False, True])
def test_choosing_and_predicting_are_without_mirroring_where_none_is_wanted(
    tmp_path: Path, source: Source, mirroring: bool
) -> None:
    steps = played(tmp_path, source, "random", (1,), "cabd", mirroring=mirroring)
    for step in ("00_choose", "00_predict_test"):
        assert ("--disable_tta" in steps.costs(step)["command"]) is not mirroring


@pytest.mark.parametrize(
    ("checkpoint", "goes_on"),
    [(None, False), ("checkpoint_latest.pth", True), ("checkpoint_best.pth", True)],
)
def test_a_tuning_that_left_a_checkpoint_goes_on_from_it(
    tmp_path: Path, source: Source, checkpoint: str | None, goes_on: bool
) -> None:
    if checkpoint:  # as a call that was killed has left it
        model = tmp_path / "work1/results/round_00/Dataset007_Toy/nnUNetTrainerSLPT__P__3d_fullres"
        (model / "fold_0").mkdir(parents=True)
        (model / "fold_0" / checkpoint).touch()
    steps = played(tmp_path, source, "random", (1,), "cabd")
    assert ("--c" in steps.costs("00_tune")["command"]) is goes_on
