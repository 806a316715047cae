"""``nnunet_slpt_simulate`` on the tiny task: every command for real, killed and continued, extended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nnunet_slpt.simulation import campaign
from nnunet_slpt.simulation.cli import main
from nnunet_slpt.simulation.steps import Steps

DATASET = "Dataset801_Tiny"


@pytest.fixture
def call(task: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command with all that stays the same between calls, and the folder that it fills."""
    monkeypatch.setenv("nnUNet_def_n_proc", "1")  # each process takes seconds to start
    test = tmp_path / "test.json"
    test.write_text(json.dumps(["case_4", "case_5"]))
    model = task.ordinary_model()
    shutil.rmtree(task.preprocessed)  # a simulation needs neither plans nor preprocessed cases
    output = tmp_path / "simulation"

    def run(words: str) -> int:
        fixed = f"-d 801 -m {model} -o {output} --test {test} -device cpu --disable_tta -npp 0"
        return main([*fixed.split(), "--epochs", "1", "--iterations", "2", *words.split()])

    run.output, run.model = output, model  # type: ignore[attr-defined]
    return run


def cells(call: Any) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (call.output / "cells").glob("*.json")}


def pull_the_plug(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Interrupt before the command of this number."""
    real, count = Steps._exit_code, 0

    def run(*args: Any) -> int:
        nonlocal count
        count += 1
        if count == at:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(Steps, "_exit_code", run)


def break_selection(monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    """Let a campaign choose with an option that is not there."""
    real = Steps._exit_code

    def run(self: Steps, words: list[str], *args: Any) -> int:
        broken = "nnunet_slpt_select" in words and of in words[3]
        return real(self, [*words, "--nonsense"] if broken else words, *args)

    monkeypatch.setattr(Steps, "_exit_code", run)


TESLA = "--methods slpt --strategies tesla --seeds 0 --calibrate --budgets 2 3"


def test_campaigns_from_the_first_choice_to_the_report(
    call: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "FEWEST_TO_RANK", 2)  # a pool of four, of which two are labelled first
    with monkeypatch.context() as patch:
        pull_the_plug(patch, at=5)  # after plan, choose, preprocess, tune
        assert call(TESLA) == 2
    assert "The same call goes on from here" in capsys.readouterr().err
    assert not cells(call)

    tuned = call.output / "campaigns" / "slpt__tesla__0" / "logs" / "00_tune.json"
    before = tuned.stat().st_mtime_ns
    assert call(TESLA) == 0
    assert tuned.stat().st_mtime_ns == before
    found = cells(call)
    check_tesla(found["slpt__tesla__2__0"], found["slpt__tesla__3__0"])
    labels = next((call.output / "campaigns" / "slpt__tesla__0" / "raw").glob("*/labelsTr"))
    named = {file.name.removesuffix(".nii.gz") for file in labels.iterdir()}
    assert named == {*found["slpt__tesla__3__0"]["labelled"]}
    assert "slpt" in (call.output / "report" / "summary.md").read_text()

    # A campaign that fails does not take the others along.
    break_selection(monkeypatch, of="head__foreground_random__0")
    capsys.readouterr()
    baselines = "--methods head full_adamw --strategies foreground_random --seeds 0 --calibrate --budgets 2"
    assert call(baselines) == 1
    assert "head__foreground_random__0 cannot go on: nnunet_slpt_select -d Dataset" in capsys.readouterr().out
    assert {*cells(call)} == {*found, "full_adamw__foreground_random__2__0"}
    assert cells(call).items() > found.items()
    assert call("--methods slpt --strategies random --budgets 2,3") == 2
    assert "holds another simulation (calibrate: got False, there True)" in capsys.readouterr().err


def check_tesla(first: Any, second: Any) -> None:
    assert first["labelled"] == second["labelled"][:2]
    assert len({*second["labelled"]}) == 3
    assert not {*second["labelled"]} & {"case_4", "case_5"}
    assert sorted(first["test"]) == ["case_4", "case_5"]
    assert set(first["test"]["case_4"]) == {"organ", "lesion"}
    assert first["tuning"].items() > {"trainer": "nnUNetTrainerSLPT", "seed": 0, "prompts": 3}.items()
    assert 0 < first["costs"]["tuned_parameters"] < first["costs"]["parameters"]
    assert set(first["pool"]) == {"case_0", "case_1", "case_2", "case_3"} - {*first["labelled"]}
    assert all(0 <= case["uncertainty"] <= 1 for case in first["pool"].values())
    assert second["pool"] is None  # one case is left, and there is nothing to rank


def test_a_strategy_that_asks_prompts_needs_a_method_that_has_them(
    call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("--methods slpt full_adamw slpt_k1 --strategies random tesla --budgets 2 3") == 2
    assert "cannot go with methods that have none (full_adamw, slpt_k1)" in capsys.readouterr().err
    assert not call.output.exists()


def test_a_zip_is_refused_at_once(call: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zipped = shutil.make_archive(str(tmp_path / "model"), "zip", call.model)
    assert call(f"-m {zipped}") == 2
    assert "is a file, expected a model's folder" in capsys.readouterr().err


@pytest.mark.parametrize("case", ["case_4", "case_0"])  # that judges, that may be chosen
def test_a_label_that_cannot_be_used_is_told_before_the_first_training(
    call: Any, task: Any, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    label = task.raw / DATASET / "labelsTr" / f"{case}.nii.gz"
    whole = label.read_bytes()
    label.write_bytes(whole[: len(whole) // 2])
    words = "--methods full_adamw --seeds 0 --budgets 2"
    assert call(words) == 2
    told = capsys.readouterr().err
    assert f"1 case(s) cannot be used:\n  {case}: {case}.nii.gz" in told
    assert not (call.output / "campaigns").exists()
    assert not (call.output / "simulation.json").exists()  # or leaving the case out would be another one
    label.write_bytes(whole)
    good = {file.stem for file in (call.output / "shared" / "examined").iterdir()}
    assert case not in good
    assert len(good) == 5  # of six
    assert call(words) == 0
