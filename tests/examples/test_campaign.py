"""The demo's campaign: it goes on after it was stopped, and does not choose cases twice."""

import os
from pathlib import Path

import pytest
from campaign import require_rounds
from job import LESIONS, Job
from steps import DemoError

# Stands in for the command: notes how it was called, and puts the last round away.
SELECT = """#!/bin/sh
echo "$nnUNet_preprocessed $@" > {calls}
cd {rounds}
last=$(ls round_*.json | tail -n 1)
mv $last undone_00_$last
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    job = Job(output=tmp_path / "output", dataset=LESIONS, device="cpu")
    rounds = rounds_of(job)
    rounds.mkdir(parents=True)
    (job.output / "logs").mkdir()
    select = tmp_path / "bin" / "nnunet_slpt_select"
    select.parent.mkdir()
    select.write_text(SELECT.format(calls=tmp_path / "calls", rounds=rounds))
    select.chmod(0o755)
    monkeypatch.setenv("PATH", f"{select.parent}{os.pathsep}{os.environ['PATH']}")
    return job


def rounds_of(job: Job) -> Path:
    return job.preprocessed / job.dataset / "slpt_selection"


def make_rounds(job: Job, number: int) -> None:
    for one in range(number):
        (rounds_of(job) / f"round_{one:02d}.json").touch()
    label = job.raw / job.dataset / "labelsTr" / "a.nii.gz"
    (rounds_of(job) / "to_annotate.csv").write_text(f"rank,label_file\n1,{label}\n")


@pytest.mark.parametrize("number", [0, 1])
def test_a_round_that_was_stopped_halfway_is_taken_back(job: Job, tmp_path: Path, number: int) -> None:
    make_rounds(job, number + 1)
    require_rounds(job, number)
    assert (tmp_path / "calls").read_text() == f"{job.preprocessed} --undo -d 802\n"
    assert len(list(rounds_of(job).glob("round_*.json"))) == number


def test_nothing_is_taken_back_from_a_campaign_in_order(job: Job, tmp_path: Path) -> None:
    require_rounds(job, 0)
    make_rounds(job, 2)
    require_rounds(job, 2)
    assert not (tmp_path / "calls").exists()


def test_other_numbers_of_rounds_are_refused(job: Job, tmp_path: Path) -> None:
    make_rounds(job, 2)
    for number in (0, 3):
        with pytest.raises(DemoError, match=f"holds 2 rounds, expected {number}"):
            require_rounds(job, number)
    assert not (tmp_path / "calls").exists()


def test_a_round_with_labels_is_not_taken_back(job: Job, tmp_path: Path) -> None:
    make_rounds(job, 1)
    label = job.raw / job.dataset / "labelsTr" / "a.nii.gz"
    label.parent.mkdir(parents=True)
    label.touch()
    with pytest.raises(DemoError, match="holds 1 rounds, expected 0"):
        require_rounds(job, 0)
    assert not (tmp_path / "calls").exists()
