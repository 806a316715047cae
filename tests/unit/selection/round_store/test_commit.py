"""Adding rounds: all of it or nothing, once however often, and verifiable ever after."""

import errno
import os
import stat
from dataclasses import replace

import pytest

from nnunet_slpt import files
from nnunet_slpt.errors import FileError, SelectionError
from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.selection.rounds import Replaced, round_text
from nnunet_slpt.selection.splits import Fold, read_split

FOLDS = [Fold(("a", "b"), ("v 1",))]


@pytest.fixture
def store(dataset):
    return RoundStore(dataset)


@pytest.fixture
def three(store, dataset, disk):
    for number in range(3):
        disk.commit(dataset, number)
    return store


def test_rounds_come_back_in_order(three, disk):
    rounds = three.rounds()
    assert [one.number for one in rounds] == [0, 1, 2]
    assert [name for one in three.rounds() for name in one.chosen] == disk.POOL[:9]
    for one in rounds:
        filled_in = {"previous": one.previous, "split": one.split, "worklist": one.worklist}
        assert one == replace(disk.a_round(one.number), **filled_in)


def test_what_it_returns_is_what_is_on_disk(store, dataset, disk):
    assert disk.commit(dataset, 0) == store.rounds()[0]


def test_files_hold_what_they_should(three, dataset, disk):
    assert read_split(dataset / "splits_final.json") == [Fold(tuple(disk.POOL[:9]), ("v 1",))]
    assert three.worklist_file.read_text(encoding="utf-8") == f"rank,case\n1,{disk.POOL[6]}\n"
    assert (three.folder / "round_00_before_splits_final.json").read_text() == disk.BEFORE
    names = {file.name for file in three.folder.iterdir()}
    assert names == {
        ".lock",
        "to_annotate.csv",
        *(f"round_{number:02d}.json" for number in range(3)),
        *(f"round_{number:02d}_before_splits_final.json" for number in range(3)),
        *(f"round_{number:02d}_before_to_annotate.csv" for number in (1, 2)),
    }


def test_nothing_else_is_touched(three, dataset, tree, disk):
    assert {name.split("/")[0] for name in tree(dataset)} == {
        "nnUNetPlans_3d_fullres",
        "slpt_selection",
        "splits_final.json",
    }
    assert (dataset / "nnUNetPlans_3d_fullres" / "case.b2nd").read_bytes() == b"data"


def test_the_same_inputs_give_the_same_bytes(three, dataset, tree, disk, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "splits_final.json").write_text(disk.BEFORE)
    for number in range(3):
        disk.commit(other, number)
    ours = {name: content for name, content in tree(dataset).items() if not name.startswith("nnUNetPlans")}
    assert tree(other) == ours


def test_once_more_changes_nothing(three, dataset, tree, disk):
    before = {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in dataset.rglob("*.json")}
    content = tree(dataset)
    assert disk.commit(dataset, 2) == three.rounds()[2]
    assert tree(dataset) == content
    assert before == {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in dataset.rglob("*.json")}


def test_another_round_of_the_same_number_is_refused(three, disk):
    with pytest.raises(SelectionError, match=r"has 3 round\(s\), so the next is round 3"):
        three.commit(disk.a_round(2, seed=2), FOLDS, "")
    with pytest.raises(SelectionError, match="next is round 3"):
        three.commit(disk.a_round(2), FOLDS, "")  # the same round, but another split
    with pytest.raises(SelectionError, match="next is round 3"):
        three.commit(disk.a_round(4, disk.POOL[9:], labelled_before=()), FOLDS, "")


def test_a_case_is_never_chosen_twice(three, disk):
    again = disk.a_round(3, [disk.POOL[4], disk.POOL[10]], labelled_before=())
    with pytest.raises(SelectionError, match=rf"1 case\(s\) that an earlier round chose: {disk.POOL[4]}\."):
        three.commit(again, FOLDS, "")


def test_a_round_that_is_refused_changes_nothing(three, dataset, disk, tree):
    before = tree(dataset)
    with pytest.raises(SelectionError, match="next is round 3"):
        three.commit(disk.a_round(9, disk.POOL[9:], labelled_before=()), FOLDS, "")
    assert tree(dataset) == before


@pytest.mark.parametrize("fails_at", range(7))
def test_a_full_disk_changes_nothing_but_backups(dataset, disk, tree, monkeypatch, fails_at):
    disk.commit(dataset, 0)
    before, writes = tree(dataset), []

    def full(handle):
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            writes.append(handle)
        if len(writes) > fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        if fails_at >= 5:  # backups of split and worklist; split, worklist and round
            disk.commit(dataset, 1)
            return
        with pytest.raises(FileError, match="Make room"):
            disk.commit(dataset, 1)
    after = tree(dataset)
    assert {name: after[name] for name in before} == before
    assert all("_before_" in name for name in after.keys() - before.keys())
    disk.commit(dataset, 1)
    assert len(RoundStore(dataset).rounds()) == 2


@pytest.mark.parametrize("fails_at", ["splits_final.json", "to_annotate.csv", "round_01.json"])
def test_renaming_that_fails_half_way_is_taken_back(dataset, disk, tree, monkeypatch, fails_at):
    disk.commit(dataset, 0)
    before, move = tree(dataset), files.move

    def fail(source, target):
        if target.name == fails_at:
            raise SelectionError("refused")
        move(source, target)

    monkeypatch.setattr(files, "move", fail)
    with pytest.raises(SelectionError, match="refused"):
        disk.commit(dataset, 1)
    after = tree(dataset)
    assert {name: after[name] for name in before} == before
    assert all("_before_" in name for name in after.keys() - before.keys())


def test_one_at_a_time(store, dataset, disk):
    with store.exclusive(), store.exclusive():
        disk.commit(dataset, 0)
    assert len(store.rounds()) == 1


def test_a_dataset_that_is_not_preprocessed_yet_is_fine(tmp_path, disk):
    disk.commit(tmp_path / "not" / "yet", 0)
    assert RoundStore(tmp_path / "not" / "yet").rounds()[0].split.backup is None


def test_without_rounds_there_is_nothing(store, dataset, tree):
    before = tree(dataset)
    assert store.rounds() == []
    assert tree(dataset) == before
    assert not store.folder.exists()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_changed_round_is_noticed(three, number):
    file = three.folder / f"round_{number:02d}.json"
    content = file.read_bytes()
    for place in range(0, len(content), 7):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(SelectionError, match=file.name):
            three.rounds()


@pytest.mark.parametrize("number", [0, 1])
def test_a_missing_round_is_noticed(three, number):
    (three.folder / f"round_{number:02d}.json").unlink()
    with pytest.raises(
        SelectionError, match=f"round_{number:02d}.json is missing, but there is .*{number + 1:02d}"
    ):
        three.rounds()


def test_a_round_of_another_dataset_is_noticed(three, tmp_path, disk):
    # Whole and well numbered, but it follows something else.
    other = tmp_path / "other"
    other.mkdir()
    for number in range(2):
        disk.commit(other, number)
    (three.folder / "round_01.json").write_bytes((other / "slpt_selection" / "round_01.json").read_bytes())
    with pytest.raises(SelectionError, match=r"round_01\.json is round 1 of another chain"):
        three.rounds()


def test_a_renamed_round_is_noticed(three):
    files.move(three.folder / "round_00.json", three.folder / "round_03.json")
    files.move(three.folder / "round_01.json", three.folder / "round_00.json")
    with pytest.raises(SelectionError, match=r"round_00\.json is round 1 of another chain"):
        three.rounds()


def test_a_round_of_another_number_is_noticed(store, disk):
    store.folder.mkdir()
    alone = disk.a_round(1, split=Replaced(sha256=""), worklist=Replaced(sha256=""))
    (store.folder / "round_00.json").write_text(round_text(alone))
    with pytest.raises(SelectionError, match=r"round_00\.json is round 1"):
        store.rounds()


def test_a_lost_backup_is_noticed(three):
    lost = three.folder / "round_01_before_to_annotate.csv"
    lost.unlink()
    with pytest.raises(SelectionError, match=rf"{lost.name} is missing.*Put it back"):
        three.rounds()
    lost.touch()
    assert len(three.rounds()) == 3


def test_a_round_that_was_never_committed_is_refused(store, disk):
    store.folder.mkdir()
    (store.folder / "round_00.json").write_text(round_text(disk.a_round(0)))
    with pytest.raises(SelectionError, match=r"round_00\.json does not say what it replaced"):
        store.rounds()
