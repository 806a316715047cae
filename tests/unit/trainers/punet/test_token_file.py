"""The token file: what comes back of it by name, and what is refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from small_punets import images, network, settings

from nnunet_slpt.errors import CheckpointError, ConfigError
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.trainers.punet.token_file import load_tokens, save_tokens


@pytest.fixture
def net():
    return network("l.v.", "myocardium", "background")


@pytest.fixture
def saved(tmp_path, net):
    save_tokens(tmp_path / "tokens.safetensors", net)
    return tmp_path / "tokens.safetensors"


@torch.no_grad()
def test_a_class_comes_back_by_name(saved, net):
    net.eval()
    before = net(images())
    other = network("background").eval()
    assert load_tokens(saved, other, ["myocardium"]) == ["myocardium"]
    assert other.class_names == ["background", "myocardium"]
    assert torch.equal(other(images(), ["myocardium"]), before[:, 1:2])


@torch.no_grad()
def test_all_classes_come_back_and_replace_those_of_the_same_name(saved, net):
    before = net(images())
    torch.nn.init.zeros_(net.prompt("l.v.").head)
    net.remove_class("myocardium")
    assert load_tokens(saved, net) == ["l.v.", "myocardium", "background"]
    assert torch.equal(net(images(), ["l.v.", "myocardium", "background"]), before)


def test_some_classes_can_be_saved(tmp_path, net):
    save_tokens(tmp_path / "one.safetensors", net, ["background"])
    assert load_tokens(tmp_path / "one.safetensors", net) == ["background"]
    with pytest.raises(CheckpointError, match=r"unknown class 'l\.v\.'; known: background"):
        load_tokens(tmp_path / "one.safetensors", net, ["l.v."])


def test_tokens_of_another_body_are_refused(saved):
    other = network("background", seed=1)
    kept = {name: tensor.clone() for name, tensor in other.tuned_state().items()}
    with pytest.raises(CheckpointError, match="belong to another body"):
        load_tokens(saved, other)
    assert other.class_names == ["background"]
    assert all(torch.equal(tensor, kept[name]) for name, tensor in other.tuned_state().items())


@pytest.mark.parametrize("changes", [{"tokens": 4}, {"prompted": "encoder"}])
def test_tokens_of_other_stages_or_another_number_are_refused(saved, changes):
    other = network(**changes)
    with pytest.raises(CheckpointError, match="of other stages, or of another number"):
        load_tokens(saved, other)
    assert other.class_names == []


def test_a_missing_class_leaves_the_network_as_it_was(saved):
    other = network()
    with pytest.raises(CheckpointError, match="unknown class 'liver'; known: "):
        load_tokens(saved, other, ["myocardium", "liver"])
    assert other.class_names == []


def test_what_is_no_token_file_is_refused(tmp_path, net):
    nowhere, damaged, foreign = (tmp_path / name for name in ("no", "damaged", "foreign"))
    damaged.write_bytes(b"not safetensors")
    save_file({"a": torch.ones(1)}, foreign)
    for path, words in (
        (nowhere, "no token file"),
        (damaged, "cannot be read"),
        (foreign, "but no token file"),
    ):
        with pytest.raises(CheckpointError, match=words):
            load_tokens(path, net)


def test_saving_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no tokens to save"):
        save_tokens(tmp_path / "tokens.safetensors", network())
    with pytest.raises(ConfigError, match="unknown class 'liver'; known: a"):
        save_tokens(tmp_path / "tokens.safetensors", network("a"), ["liver"])
    assert not list(tmp_path.iterdir())


def labels_network(*names, jointly=True, **changes):
    torch.manual_seed(0)
    return LabelPUNet(names, jointly=jointly, **settings(3) | {"tokens": 3} | changes)


@pytest.fixture
def joint(tmp_path):
    save_tokens(tmp_path / "joint.safetensors", labels_network("a", "b"))
    return tmp_path / "joint.safetensors"


def test_tokens_that_were_tuned_jointly_come_back_together(joint):
    for made in (labels_network(), labels_network("a", "b")):
        assert load_tokens(joint, made) == ["a", "b"]


def test_joint_tokens_are_refused_where_they_predict_otherwise(joint):
    with pytest.raises(CheckpointError, match="jointly=True"):
        load_tokens(joint, labels_network(jointly=False))
    with pytest.raises(CheckpointError, match="other company: got a for"):
        load_tokens(joint, labels_network(), ["a"])
    other = labels_network("c")
    with pytest.raises(CheckpointError, match="no other class"):
        load_tokens(joint, other)
    assert other.class_names == ["c"]


def test_tokens_of_a_pass_each_are_refused_for_a_joint_network(saved):
    with pytest.raises(CheckpointError, match="jointly=False"):
        load_tokens(saved, labels_network())


def test_some_of_joint_classes_are_not_saved_alone(tmp_path):
    with pytest.raises(ConfigError, match="Save all of them"):
        save_tokens(tmp_path / "tokens.safetensors", labels_network("a", "b"), ["a"])
    # Where the body takes no tokens, classes do not see each other.
    save_tokens(tmp_path / "tokens.safetensors", labels_network("a", "b", prompted="none"), ["a"])


def test_adapters_are_refused(tmp_path, saved):
    adapted = labels_network("l.v.", jointly=False)
    adapted.choose_tuned("adapter")
    with pytest.raises(ConfigError, match="has adapters"):
        save_tokens(tmp_path / "tokens.safetensors", adapted)
    with pytest.raises(CheckpointError, match="has adapters"):
        load_tokens(saved, adapted)
