"""The prompt file: what comes back of it, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nnunet_slpt.errors import CheckpointError, FileError
from nnunet_slpt.pretrained import base_hash
from nnunet_slpt.trainers.prompt_file import read_prompts, save_prompts

ABOUT = {
    "plans": {"plans_name": "nnUNetPlans", "slpt": {"prompts": 2, "tversky": [[0.5, 0.5]]}},
    "dataset_json": {"labels": {"background": 0, "Ödem": [1, 2]}},
    "configuration": "3d_fullres",
    "trainer_name": "nnUNetTrainerSLPT",
    "mirroring_axes": (0, 2),
    "fold": 3,
}


class Network:
    """Frozen and tuned tensors alone; the tuned ones are of every awkward kind."""

    def frozen_state(self):
        return {"encoder.weight": torch.ones(2)}

    def tuned_state(self):
        awkward = {"transposed": torch.arange(6.0).reshape(2, 3).t(), "scalar": torch.tensor(0.1)}
        return {**awkward, "short": torch.ones(3, dtype=torch.bfloat16), "empty": torch.ones(0, 2)}


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def saved(tmp_path, network):
    save_prompts(tmp_path / "prompts.safetensors", network, **ABOUT)
    return tmp_path / "prompts.safetensors"


def metadata_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["nnunet_slpt"])


def rewrite(path, text):
    save_file(load_file(path), path, {"nnunet_slpt": text})


def test_everything_comes_back(saved, network):
    read = read_prompts(saved)
    assert {name: getattr(read, name) for name in ABOUT} == ABOUT
    assert read.base_hash == base_hash(network.frozen_state())
    tuned = network.tuned_state()
    assert read.tensors.keys() == tuned.keys()
    assert all(torch.equal(tensor, tuned[name]) for name, tensor in read.tensors.items())


def test_it_holds_no_frozen_weight(saved, network):
    assert not set(load_file(saved)) & set(network.frozen_state())


@pytest.mark.parametrize("values", [{"fold": "all"}, {"mirroring_axes": None}, {"mirroring_axes": ()}])
def test_special_values_come_back(tmp_path, network, values):
    save_prompts(tmp_path / "prompts.safetensors", network, **{**ABOUT, **values})
    read = read_prompts(tmp_path / "prompts.safetensors")
    assert {name: getattr(read, name) for name in values} == values


def test_it_says_what_it_was_made_with(saved):
    metadata = metadata_of(saved)
    assert set(metadata["versions"]) == {"nnunet_slpt", "nnunetv2", "torch"}
    assert metadata["format_version"] == 1


def test_the_order_of_labels_comes_back(tmp_path, network):
    labels = {"background": 0, "whole": [1, 2], "core": [2], "a": [1]}
    save_prompts(tmp_path / "prompts.safetensors", network, **{**ABOUT, "dataset_json": {"labels": labels}})
    assert list(read_prompts(tmp_path / "prompts.safetensors").dataset_json["labels"]) == list(labels)


def test_others_may_read_it_as_any_new_file(saved):
    other = saved.with_name("other")
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_the_same_tuning_gives_the_same_file(tmp_path, saved, network):
    save_prompts(tmp_path / "again.safetensors", network, **ABOUT)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def no_room(*_):
    raise OSError("no room")


def test_a_write_that_fails_leaves_the_file_as_it_was(saved, network, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(Path, "replace", no_room)
    with pytest.raises(FileError, match="no room"):
        save_prompts(saved, network, **(ABOUT | {"fold": 4}))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_missing_file_is_named():
    with pytest.raises(CheckpointError, match=r"no prompt file absent\.safetensors.*prompts_final"):
        read_prompts(Path("absent.safetensors"))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + 100 * b"\0"])
def test_a_file_of_another_format_is_refused(tmp_path, content):
    (tmp_path / "other.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        read_prompts(tmp_path / "other.safetensors")


def test_a_file_cut_short_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        read_prompts(saved)


def test_safetensors_of_another_program_are_refused(tmp_path):
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"no prompt file.*nnunet_slpt"):
        read_prompts(tmp_path / "other.safetensors")


def test_metadata_cut_short_are_refused(saved):
    rewrite(saved, json.dumps(metadata_of(saved))[:-9])
    with pytest.raises(CheckpointError, match="no prompt file"):
        read_prompts(saved)


@pytest.mark.parametrize(
    "change", [{"fold": "../../elsewhere"}, {"format_version": None}, {"mirroring_axes": 1}]
)
def test_values_that_cannot_be_used_are_refused(saved, change):
    rewrite(saved, json.dumps({**metadata_of(saved), **change}))
    with pytest.raises(CheckpointError, match="no prompt file"):
        read_prompts(saved)


@pytest.mark.parametrize("key", ABOUT)
def test_a_missing_value_is_named(saved, key):
    rewrite(saved, json.dumps({name: value for name, value in metadata_of(saved).items() if name != key}))
    with pytest.raises(CheckpointError, match=f"no prompt file.*{key}"):
        read_prompts(saved)


def test_a_later_format_asks_for_an_update(saved):
    later = {"format_version": 2, "versions": {"nnunet_slpt": "9.0"}}
    rewrite(saved, json.dumps({**metadata_of(saved), **later}))
    with pytest.raises(CheckpointError, match=r"nnunet_slpt 9\.0.*pip install --upgrade"):
        read_prompts(saved)


@pytest.mark.parametrize("revision", [None, 1, 99])
def test_prompts_of_networks_that_compute_otherwise_are_refused(saved, revision):
    metadata = {**metadata_of(saved), "revision": revision}
    if revision is None:  # as before there were any
        del metadata["revision"]
    rewrite(saved, json.dumps(metadata))
    with pytest.raises(CheckpointError, match=rf"{saved} was .* revision {revision or 1}, expected 2"):
        read_prompts(saved)
