"""``nnunet_slpt_select`` when not all goes as planned: late labels, patients that withdraw, wrong models."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from select_campaign import DATASET, Campaign

from nnunet_slpt.datasets import image_checks
from nnunet_slpt.selection import network
from nnunet_slpt.selection.cli import main


@pytest.fixture
def campaign(tuned_copy: Any, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    tuned_copy.splits_file.unlink()
    # With "-device cpu" it would take every core from then on, those that others use too.
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    return Campaign(tuned_copy)


def _must_not_run(*arguments: Any) -> Any:
    raise AssertionError("nothing is left to do, or it is too early")


def test_cases_that_wait_are_covered(campaign: Campaign) -> None:
    campaign.keep_labels()
    assert campaign.select("-n", 2) == 0
    assert campaign.select("-n", 2, "--partial", "-strategy", "diversity") == 0
    reasons = [case["reason"] for case in campaign.round(1)["cases"] if case["chosen"]]
    assert all(reason.startswith("Least like any labelled or chosen case") for reason in reasons)
    assert campaign.round(1)["labelled_before"] == []


def test_a_patient_withdraws(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    campaign.keep_labels()
    assert campaign.select("-n", 3, "-strategy", "random") == 0
    gone, *others = campaign.chosen(0)
    campaign.annotate(*others)
    (campaign.task.raw / DATASET / "imagesTr" / f"{gone}_0000.nii.gz").unlink()
    capsys.readouterr()
    assert main(["-d", "801", "--status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["waiting"], told["gone"]) == ([], [gone])

    assert campaign.select("-n", 1) == 2
    assert "leave them out for good (--exclude)" in capsys.readouterr().err
    names = campaign.home / "withdrawn.txt"
    names.write_text(f"{gone}\n")
    assert campaign.select("-n", 1, "--exclude", names) == 0
    assert campaign.round(1)["excluded"] == [gone]
    assert campaign.round(1)["labelled_before"] == sorted(others)
    trained = {name for fold in campaign.split() for name in fold["train"] + fold["val"]}
    assert trained == {*others, *campaign.chosen(1)}


def test_parts_agree_on_their_shares_even_if_images_are_left_out(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = campaign.task.raw / DATASET / "imagesTr" / "case_2_0000.nii.gz"
    image.write_bytes(image.read_bytes()[:2000])
    asked = ("-n", 2, "--hide_labels", "--skip_unreadable")
    for part in (0, 1):
        assert campaign.select(*asked, "-num_parts", 2, "-part_id", part) == 0
    monkeypatch.setattr(network.Model, "preprocess", _must_not_run)
    assert campaign.select(*asked) == 0
    assert campaign.round(0)["excluded"] == ["case_2"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("-aggregation", "max"), "unknown aggregation"),
        (("-stages", "first"), "unknown stages"),
        (("-m", "nowhere"), "There is no nowhere"),
        (("-strategy", "random", "--prelabel"), "no label of the model"),
    ],
)
def test_what_is_wrong_with_the_model_is_told_before_an_image_is_read(
    campaign: Campaign,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[object, ...],
    words: str,
) -> None:
    file = campaign.task.raw / DATASET / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"labels": {"background": 0, "spleen": 1}}))
    monkeypatch.setattr(image_checks, "read_case", _must_not_run)
    assert campaign.select("-n", 2, "--hide_labels", *asked) == 2
    assert words in capsys.readouterr().err
