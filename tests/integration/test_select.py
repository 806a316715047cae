"""``nnunet_slpt_select`` on the tiny task, as a user calls it: rounds, refusals, and what it leaves."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from select_campaign import DATASET, QUICK, ROUNDS, Campaign

from nnunet_slpt.selection import network
from nnunet_slpt.selection.cli import main

ALL = [f"case_{number}" for number in range(6)]


@pytest.fixture
def campaign(tuned_copy: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    tuned_copy.splits_file.unlink()
    # With "-device cpu" it would take every core from then on, those that others use too.
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return Campaign(tuned_copy)


def test_a_campaign_with_hidden_labels(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    for file in campaign.labels.iterdir():
        file.unlink()  # nothing may open them
    assert campaign.select("-n", 2, "--hide_labels", "-m", campaign.prompted.parent) == 0
    assert campaign.round(0)["strategy"] == "kmeans"
    first = campaign.chosen(0)
    assert campaign.select("-n", "50%", "--hide_labels") == 0
    assert campaign.round(1)["strategy"] == "hybrid"
    assert len(campaign.chosen(1)) == 3
    assert not {*first} & {*campaign.chosen(1)}
    trained = {name for fold in campaign.split() for name in fold["train"] + fold["val"]}
    assert trained == {*first, *campaign.chosen(1)}
    assert campaign.round(1)["labelled_before"] == sorted(first)
    told = capsys.readouterr().out
    assert "6 cases: 2 labelled" in told
    assert f"Looking with {campaign.prompted}: fold_0 (checkpoint_final.pth)." in told
    # Of one that is too old: it was not trained again.
    assert told.count("Warning: from before round 0, so without the labels that came in since: fold_0.") == 1
    assert "window" not in campaign.round(0)["model"]
    assert campaign.round(1)["model"]["window"] == {"step_size": 0.5, "mirrored_axes": []}


def test_a_prospective_campaign(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    campaign.keep_labels()
    (campaign.home.parent / "val.txt").write_text("case_5\n")
    fixed = ("--val", campaign.home.parent / "val.txt")
    assert campaign.select("-n", 2, *fixed) == 0
    first = campaign.chosen(0)
    assert campaign.split() == [{"train": sorted(first), "val": ["case_5"]}]
    with (campaign.home / "to_annotate.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == first
    assert [Path(row["label_file"]).parent for row in rows] == [campaign.labels] * 2

    campaign.annotate(first[0])
    assert campaign.select("-n", 1) == 2
    assert first[1] in capsys.readouterr().err
    campaign.annotate(first[1])
    assert campaign.select("-n", 1) == 0
    assert "case_5" not in campaign.chosen(1)
    assert campaign.split() == [{"train": sorted([*first, *campaign.chosen(1)]), "val": ["case_5"]}]


def test_undo_and_status(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    campaign.task.write_splits(ALL[:3], ALL[3:4])
    before = campaign.task.splits_file.read_bytes()
    campaign.keep_labels("case_0", "case_1", "case_2", "case_3")
    assert campaign.select("-n", 1) == 0
    assert campaign.task.splits_file.read_bytes() != before
    capsys.readouterr()
    assert main(["-d", "801", "--status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["waiting"] == campaign.chosen(0)
    assert main(["-d", "801", "--undo", "-n", "1"]) == 2
    assert "-n is given with --undo" in capsys.readouterr().err
    assert main(["-d", "801", "--undo", "--dry_run"]) == 2
    assert "--undo is given with --dry_run" in capsys.readouterr().err
    assert campaign.chosen(0) == told["waiting"]
    campaign.task.splits_file.write_text("somebody's")
    assert main(["-d", "801", "--undo", "--force"]) == 0
    kept = campaign.home / "undone_00_round_00_splits_final.json"
    assert f"as it was found is {kept} now" in capsys.readouterr().out
    assert kept.read_text() == "somebody's"
    assert campaign.task.splits_file.read_bytes() == before
    assert not list(campaign.home.glob(ROUNDS))


def test_json_is_all_that_goes_to_stdout(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign.select("-n", 2, "--hide_labels", "--json", "--dry_run") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["budget_cases"] == 2
    assert not campaign.task.splits_file.exists()
    assert not list(campaign.home.glob(ROUNDS))


STRATEGIES = ("diversity", "uncertainty", "hybrid", "clasp_pe", "random")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_parts_workers_and_a_break_change_nothing(
    campaign: Campaign, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("-n", 2, "--hide_labels", "-strategy", strategy)
    assert campaign.select(*asked) == 0
    expected = (campaign.home / "round_00.json").read_bytes()
    assert main(["-d", "801", "--undo"]) == 0
    _forget(campaign.home)
    for done, part in enumerate((1, 0), 1):
        assert campaign.select(*asked, "-num_parts", 2, "-part_id", part) == 0
        assert len(list(campaign.home.glob("images/*.npz"))) == 3 * done
    assert not list(campaign.home.glob(ROUNDS))
    monkeypatch.setattr(network.Model, "preprocess", _must_not_run)
    assert campaign.select(*asked) == 0
    assert (campaign.home / "round_00.json").read_bytes() == expected


KILLED = """
import os, signal, sys
import torch
from nnunet_slpt.selection import network
from nnunet_slpt.selection.cli import main

seen = []
looks = network.Model.{method}

def killed_at_the_third(self, image):
    seen.append(image)
    if len(seen) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return looks(self, image)

network.Model.{method} = killed_at_the_third
torch.set_num_threads = lambda number: None
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("strategy", "method"), [("diversity", "features"), ("uncertainty", "predictions")])
def test_a_killed_run_continues_and_gives_the_same_round(
    campaign: Campaign, strategy: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["-d", "801", *QUICK, "-n", "2", "--hide_labels", "-strategy", strategy]
    assert main(asked) == 0
    expected = (campaign.home / "round_00.json").read_bytes()
    assert main(["-d", "801", "--undo"]) == 0
    _forget(campaign.home)
    process = subprocess.run([sys.executable, "-c", KILLED.format(method=method), *asked], check=False)
    assert process.returncode == -signal.SIGKILL
    assert not campaign.task.splits_file.exists()
    kept = len(list(campaign.home.glob("seen/*/*.npz")))
    assert 1 <= kept <= 2
    looked: list[str] = []
    preprocess = network.Model.preprocess
    monkeypatch.setattr(
        network.Model, "preprocess", lambda self, cases, n: looked.extend(cases) or preprocess(self, cases, n)
    )
    assert main(asked) == 0
    assert len(looked) == 6 - kept
    assert (campaign.home / "round_00.json").read_bytes() == expected


def _forget(home: Path) -> None:
    for file in home.rglob("*.npz"):
        file.unlink()


def _must_not_run(*arguments: Any) -> Any:
    raise AssertionError("all parts are done")


Prepare = Callable[[Campaign], tuple[object, ...]]


def _one_channel_more(campaign: Campaign) -> tuple[object, ...]:
    raw = campaign.task.raw / DATASET
    about = json.loads((raw / "dataset.json").read_text())
    (raw / "dataset.json").write_text(json.dumps(about | {"channel_names": {"0": "MRI", "1": "T2"}}))
    for image in sorted((raw / "imagesTr").iterdir()):
        (image.parent / image.name.replace("_0000", "_0001")).write_bytes(image.read_bytes())
    return ("-n", 2, "-m", campaign.prompted)


def _truncated(campaign: Campaign) -> tuple[object, ...]:
    image = campaign.task.raw / DATASET / "imagesTr" / "case_2_0000.nii.gz"
    image.write_bytes(image.read_bytes()[:2000])
    return ("-n", 2)


def _split_of_another_program(campaign: Campaign) -> tuple[object, ...]:
    campaign.task.splits_file.write_text('{"train": []}')
    return ("-n", 2)


REFUSED: list[tuple[str, Prepare, str]] = [
    ("budget_0", lambda _: ("-n", 0), "0"),
    ("budget_abc", lambda _: ("-n", "abc"), "abc"),
    ("budget_too_large", lambda _: ("-n", 7), "7"),
    ("one_case_to_train_on", lambda _: ("-n", 1), "1 labelled case"),
    ("no_budget", lambda _: (), "-n is missing"),
    ("unknown_strategy", lambda _: ("-n", 2, "-strategy", "tessla"), "known: tesla, diversity"),
    ("unknown_parameter", lambda _: ("-n", 2, "-strategy", "uncertainty", "--set", "prt=sum"), "part"),
    ("unknown_aggregation", lambda _: ("-n", 2, "-aggregation", "max"), "known: classes, foreground, top"),
    ("no_model", lambda _: ("-n", 2, "-m", "nowhere"), "There is no nowhere"),
    ("no_such_fold", lambda _: ("-n", 2, "-f", "3"), "it has folds 0"),
    ("channels", _one_channel_more, "takes 1 image channel"),
    ("truncated", _truncated, "case_2"),
    ("split", _split_of_another_program, "splits_final.json"),
]


@pytest.mark.parametrize(("prepare", "words"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_refused_with_nothing_written(
    campaign: Campaign, capsys: pytest.CaptureFixture[str], prepare: Prepare, words: str
) -> None:
    arguments = (*prepare(campaign), "--hide_labels")
    split = campaign.task.splits_file
    before = split.read_bytes() if split.exists() else None
    assert campaign.select(*arguments) == 2
    assert words in capsys.readouterr().err
    assert (split.read_bytes() if split.exists() else None) == before
    assert not list(campaign.home.glob(ROUNDS))


def test_an_ordinary_model_cannot_disagree(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    ordinary = campaign.task.ordinary_model()
    asked = ("-n", 2, "--hide_labels", "-m", ordinary)
    assert campaign.select(*asked, "-strategy", "uncertainty") == 2
    assert "compares the predictions of several prompts" in capsys.readouterr().err
    assert campaign.select(*asked) == 0
    assert campaign.round(0)["strategy"] == "kmeans"


def test_unreadable_images_are_left_out_on_request(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert campaign.select(*_truncated(campaign), "--hide_labels", "--skip_unreadable", "-n", 2) == 0
    assert "Left out, because their images cannot be used: case_2" in capsys.readouterr().out
    assert campaign.round(0)["excluded"] == ["case_2"]


def test_maps_lie_on_the_image(campaign: Campaign) -> None:
    image = campaign.task.raw / DATASET / "imagesTr"
    assert campaign.select("-n", 2, "--hide_labels", "--save_maps") == 0
    case = campaign.chosen(0)[0]
    maps = sorted((campaign.home / "round_00_maps").glob(f"{case}_*"))
    assert [file.name for file in maps] == [
        f"{case}_{measure}.nii.gz" for measure in ("entropy", "inter_prompt", "intra_prompt")
    ]
    entropy, inter, intra = (SimpleITK.ReadImage(str(file)) for file in maps)
    reference = SimpleITK.ReadImage(str(image / f"{case}_0000.nii.gz"))
    for drawn in (entropy, inter, intra):
        assert drawn.GetSize() == reference.GetSize()
        assert drawn.GetDirection() == reference.GetDirection()
    voxels = [SimpleITK.GetArrayFromImage(drawn) for drawn in (entropy, inter, intra)]
    assert voxels[0].max() > 0
    np.testing.assert_allclose(voxels[1] + voxels[2], voxels[0], atol=0.05)
