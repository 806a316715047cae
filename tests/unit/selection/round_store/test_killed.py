"""Killed at any step, a run leaves the old or the new state, and started again it gives the same files."""

import subprocess
import sys
from pathlib import Path

import pytest

from nnunet_slpt.selection.round_store import RoundStore

PROGRAM = Path(__file__).with_name("rounds_on_disk.py")
SPLIT = "splits_final.json"


@pytest.fixture
def die_everywhere(tmp_path):
    """One folder for each step at which the program died, as it left them."""

    def run(base, what):
        results = tmp_path / f"died at {what}"
        done = subprocess.run(
            [sys.executable, PROGRAM, base, what, results], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr
        folders = sorted(results.iterdir())
        assert len(folders) == len(done.stdout.splitlines())
        return folders

    return run


def prepare(disk, folder, rounds, split_before):
    if not split_before:
        (folder / SPLIT).unlink()
    for number in range(rounds):
        disk.commit(folder, number)
    return folder


@pytest.mark.parametrize("split_before", [True, False])
@pytest.mark.parametrize("number", [0, 1])
def test_a_commit_killed_at_any_step(disk, dataset, tree, die_everywhere, number, split_before):
    base = prepare(disk, dataset, number, split_before)
    old_split, old_rounds = tree(base).get(SPLIT), RoundStore(base).rounds()
    folders = die_everywhere(base, str(number))
    assert len(folders) > 15
    disk.commit(base, number)
    whole, new_rounds = tree(base), RoundStore(base).rounds()
    for folder in folders:
        left = tree(folder)
        # Whoever looks sees whole files, and the rounds of before or of afterwards.
        assert left.get(SPLIT) in (old_split, whole[SPLIT]), folder.name
        assert RoundStore(folder).rounds() in (old_rounds, new_rounds), folder.name
        assert left["nnUNetPlans_3d_fullres/case.b2nd"] == b"data"
        # The next run sees the split of before, so that it decides the same once more.
        disk.act(folder, "enter")
        done = RoundStore(folder).rounds() == new_rounds
        assert tree(folder).get(SPLIT) == (whole[SPLIT] if done else old_split), folder.name
        disk.commit(folder, number)
        assert tree(folder) == whole, folder.name


@pytest.mark.parametrize("split_before", [True, False])
def test_clearing_up_killed_at_any_step(disk, dataset, tree, die_everywhere, split_before):
    base = prepare(disk, dataset, 1, split_before)
    died = die_everywhere(base, "1")
    disk.commit(base, 1)
    whole = tree(base)
    # The one that got furthest without being done: split and worklist are new, the round does not count.
    worst = [folder for folder in died if len(RoundStore(folder).rounds()) == 1][-1]
    assert tree(worst)[SPLIT] == whole[SPLIT]
    folders = die_everywhere(worst, "enter")
    assert len(folders) > 5
    for folder in folders:
        disk.commit(folder, 1)
        assert tree(folder) == whole, folder.name


@pytest.mark.parametrize("split_before", [True, False])
@pytest.mark.parametrize("number", [0, 1])
def test_an_undo_killed_at_any_step(disk, dataset, tree, die_everywhere, number, split_before):
    base = prepare(disk, dataset, number + 1, split_before)
    folders = die_everywhere(base, "undo")
    assert len(folders) > 5
    RoundStore(base).undo()
    whole, rounds = tree(base), RoundStore(base).rounds()
    for folder in folders:
        if RoundStore(folder).rounds() != rounds:  # not done yet: the person starts it again
            RoundStore(folder).undo()
        assert tree(folder) == whole, folder.name


def test_after_an_undo_that_was_killed_one_may_go_on_instead(disk, dataset, die_everywhere):
    base = prepare(disk, dataset, 2, True)
    for folder in die_everywhere(base, "undo"):
        number = len(RoundStore(folder).rounds())
        disk.commit(folder, number)
        for _ in range(number + 1):
            RoundStore(folder).undo()
        assert (folder / SPLIT).read_text() == disk.BEFORE


def test_what_somebody_wrote_after_the_kill_is_left_alone(disk, dataset, die_everywhere):
    for folder in die_everywhere(dataset, "0"):
        if RoundStore(folder).rounds():
            continue
        (folder / SPLIT).write_text("somebody's")
        disk.act(folder, "enter")
        assert (folder / SPLIT).read_text() == "somebody's"
        disk.commit(folder, 0)
        RoundStore(folder).undo()
        assert (folder / SPLIT).read_text() == "somebody's"
