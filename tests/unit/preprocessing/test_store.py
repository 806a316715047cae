"""A case's files come and go in an order that leaves no half of it for nnU-Net to find."""

import pytest
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from nnunet_slpt.preprocessing import store as module
from nnunet_slpt.preprocessing.stamps import Stamp
from nnunet_slpt.preprocessing.store import Store

NAMES = {"case.b2nd", "case_seg.b2nd", "case.pkl"}


class KilledError(BaseException):
    """Nothing catches it, as nothing catches a kill."""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, "data")


def publish(store, content):
    made = store.folder.parent / "made"
    made.mkdir(exist_ok=True)
    for name in NAMES:
        (made / name).write_text(content)
    label = store.folder.parent / "label"
    label.write_text(content)
    store.publish("case", made, "recipe", {"label": Stamp.of(label)})


def killed_after(monkeypatch, steps):
    """Let so many moves and removals happen, then die."""
    left = [steps]

    def counted(step):
        def call(*arguments):
            if left[0] == 0:
                raise KilledError
            left[0] -= 1
            step(*arguments)

        return call

    for name in ("move", "remove", "write_json"):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))


def test_published_and_remembered(store):
    publish(store, "first")
    assert {file.name for file in store.folder.iterdir()} == NAMES
    record = store.read("case")
    assert record.recipe == "recipe"
    assert record.outputs.keys() == NAMES
    assert store.names() == {"case"}
    assert not (store.folder.parent / "made").exists()


@pytest.mark.parametrize("steps", range(9))
def test_whoever_is_killed_leaves_a_whole_case_or_none(store, steps, monkeypatch):
    publish(store, "first")
    with monkeypatch.context() as patched:
        killed_after(patched, steps)
        # Off go record, .b2nd, _seg.b2nd, .pkl; in come two files, then .b2nd; then the record.
        if steps < 8:
            with pytest.raises(KilledError):
                publish(store, "second")
        else:
            publish(store, "second")
    if "case" in nnUNetDatasetBlosc2.get_identifiers(str(store.folder)):
        assert len({file.read_text() for file in store.files("case").values()}) == 1
        assert store.files("case").keys() == NAMES
    record = store.read("case")
    if record is not None:
        assert all(stamp.renewed(store.folder / name) for name, stamp in record.outputs.items())
    publish(store, "third")
    assert {file.read_text() for file in store.files("case").values()} == {"third"}
    assert not (store.folder.parent / "made").exists()


def test_a_case_whose_name_begins_like_another(store):
    for name in ("case_1", "case_10", "case_1_seg_2"):
        for ending in (".b2nd", "_seg.b2nd", ".pkl"):
            store.folder.mkdir(exist_ok=True)
            (store.folder / f"{name}{ending}").touch()
    assert store.names() == {"case_1", "case_10", "case_1_seg_2"}
    store.discard("case_1")
    assert store.names() == {"case_10", "case_1_seg_2"}


def test_set_aside_keeps_the_files(store):
    publish(store, "first")
    store.set_aside("case")
    assert (store.names(), store.read("case")) == (set(), None)
    assert {file.name: file.read_text() for file in store.removed.iterdir()} == dict.fromkeys(NAMES, "first")


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"format": 99}', '{"format": 1, "recipe": "r", "inputs": 3}']
)
def test_a_damaged_record_is_no_record(store, content):
    publish(store, "first")
    (store.records / "case.json").write_text(content)
    assert store.read("case") is None
