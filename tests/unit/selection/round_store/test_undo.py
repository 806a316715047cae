"""Taking rounds back: everything becomes what it was, and nothing is lost."""

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.round_store import RoundStore


@pytest.fixture
def store(dataset):
    return RoundStore(dataset)


def kept(tree, dataset):
    """What is there beside the copies that commit and undo leave."""
    return {
        name: data for name, data in tree(dataset).items() if "undone" not in name and "_before_" not in name
    }


@pytest.mark.parametrize("before", [b'[{"train": ["a"],\r\n "val": []}]\n\n', b"", b"\xff no JSON", None])
def test_undo_brings_back_the_very_bytes(store, dataset, disk, tree, before):
    store.split_file.unlink()
    if before is not None:
        store.split_file.write_bytes(before)
    states = []
    for number in range(3):
        states.append(kept(tree, dataset))
        disk.commit(dataset, number)
    for state in reversed(states):
        store.undo()
        assert kept(tree, dataset) == state


def test_a_round_taken_back_can_be_made_again_to_the_byte(store, dataset, disk, tree):
    disk.commit(dataset, 0)
    disk.commit(dataset, 1)
    before = tree(dataset)
    for _ in range(3):
        store.undo()
        disk.commit(dataset, 1)
        assert {name: data for name, data in tree(dataset).items() if "undone" not in name} == before
    assert len(list(store.folder.glob("undone_*_round_01.json"))) == 3


def test_undo_loses_nothing(store, dataset, disk, tree):
    disk.commit(dataset, 0)
    store.worklist_file.write_text("ticked by hand")
    before = tree(dataset)
    assert store.undo().number == 0
    after = tree(dataset).values()
    assert all(data in after for data in before.values())
    assert (store.folder / "undone_00_round_00_to_annotate.csv").read_text() == "ticked by hand"
    assert not store.worklist_file.exists()


def test_undo_without_a_round_is_refused(store):
    with pytest.raises(SelectionError, match="no round to undo"):
        store.undo()


@pytest.mark.parametrize("change", ["somebody's", None])
def test_a_split_that_somebody_changed_is_not_replaced_unasked(store, dataset, disk, tree, change):
    disk.commit(dataset, 0)
    store.split_file.unlink()
    if change:
        store.split_file.write_text(change)
    before = tree(dataset)
    with pytest.raises(SelectionError, match=r"was changed or removed.*--force"):
        store.undo()
    assert tree(dataset) == before
    store.undo(force=True)
    assert store.split_file.read_text() == disk.BEFORE
    assert not change or change.encode() in tree(dataset).values()


def test_a_split_put_back_by_hand_is_no_obstacle(store, dataset, disk):
    disk.commit(dataset, 0)
    store.split_file.write_text(disk.BEFORE)
    store.undo()
    assert store.split_file.read_text() == disk.BEFORE
    assert store.rounds() == []


@pytest.mark.parametrize("name", ["round_01_before_splits_final.json", "round_01_before_to_annotate.csv"])
def test_a_backup_that_is_another_file_is_not_put_back(store, dataset, disk, tree, name):
    for number in range(2):
        disk.commit(dataset, number)
    (store.folder / name).write_text("")
    before = tree(dataset)
    with pytest.raises(SelectionError, match=rf"{name} has SHA-256.*Put the saved file back"):
        store.undo(force=True)
    assert tree(dataset) == before


def test_another_split_before_the_same_round_has_its_own_backup(store, dataset, disk):
    disk.commit(dataset, 0)
    store.undo()
    store.split_file.write_text("another")
    disk.commit(dataset, 0)
    assert store.rounds()[0].split.backup == "round_00_before_splits_final-1.json"
    assert (store.folder / "round_00_before_splits_final.json").read_text() == disk.BEFORE
    store.undo()
    assert store.split_file.read_text() == "another"
