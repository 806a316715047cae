"""The laws of PUNet: classes do not touch each other, and nothing touches the body."""

from __future__ import annotations

import pytest
import torch
from small_punets import images, network, settings

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.networks.punet import PROMPTED_RANGES, PUNet
from nnunet_slpt.pretrained import Pretrained, load_backbone

# What a class may be called, and torch's containers would stumble over.
AWKWARD = ["left ventricle", "l.v.", "50%", "%2E", "keys", "training", "Ödem/Rand"]


def a_few_steps(net: PUNet) -> None:
    tuned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(tuned, lr=0.1)
    net.train()
    for _ in range(2):
        optimizer.zero_grad()
        net(images()).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("axes", [2, 3])
def test_adding_a_class_leaves_the_body_and_the_others_as_they_were(axes):
    net = network("a", "b", axes=axes).eval()
    x = images(axes)
    with torch.no_grad():
        features, logits = net.body(x), net(x)
        net.add_class("c")
        assert torch.equal(net.body(x), features)
        assert torch.equal(net(x)[:, :2], logits)
        net.remove_class("a")
        assert torch.equal(net(x, ["b"])[:, 0], logits[:, 1])


def test_tuning_a_class_leaves_the_body_and_the_others_as_they_were():
    net, x = network("a", "b"), images()
    net.tune(["b"])
    body = {name: tensor.clone() for name, tensor in net.frozen_state().items()}
    features, before = net.body(x), net(x).detach()
    a_few_steps(net)
    after = net(x).detach()
    assert torch.equal(net.body(x), features)
    assert all(torch.equal(tensor, body[name]) for name, tensor in net.frozen_state().items())
    assert torch.equal(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


@torch.no_grad()
def test_jointly_a_class_depends_on_the_others():
    net, x = network("a", "b").eval(), images()
    assert torch.equal(net(x, ["a"], jointly=True), net(x, ["a"]))
    assert not torch.allclose(net(x, jointly=True)[:, 0], net(x)[:, 0])


@torch.no_grad()
def test_classes_come_in_the_order_asked_for():
    net, x = network("a", "b").eval(), images()
    assert torch.equal(net(x, ["b", "a"]), net(x).flip(1))


@pytest.mark.parametrize("jointly", [False, True])
def test_a_gradient_reaches_what_is_tuned_and_nothing_else(jointly):
    net = network("a", "b")
    net.tune(["b"])
    net(images(), jointly=jointly).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.requires_grad == name.startswith("classes.class:b.")
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert parameter.grad is None, name


def test_a_new_network_is_trained_as_a_whole():
    net = network("a").train()
    net(images()).square().sum().backward()
    assert net.body.training
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_frozen_body_stays_in_evaluation_mode():
    net = network("a")
    net.tune(["a"])
    net.train()
    assert net.training
    assert not any(module.training for module in net.body.modules())


@pytest.mark.parametrize("prompted", PROMPTED_RANGES)
def test_tokens_sit_where_they_were_asked_for(prompted):
    net = network("a", prompted=prompted)
    sites = {int(number) for number in net.prompt("a").sites}
    assert (
        sites
        == {
            "none": set(),
            "start": {0, 1},
            "end": {8, 9},
            "encoder": set(range(6)),
            "decoder": set(range(6, 10)),
            "full": set(range(10)),
        }[prompted]
    )
    assert net(images()).shape[1] == 1


def test_classes_are_bound_by_name_whatever_it_is():
    net = network(*AWKWARD)
    assert net.class_names == AWKWARD
    again = network(*AWKWARD, seed=1)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.prompt("l.v.").head, net.prompt("l.v.").head)
    net.remove_class("50%")
    assert net.class_names == [name for name in AWKWARD if name != "50%"]


def test_what_cannot_be_done_is_refused_and_nothing_changes():
    net = network("liver")
    state = [parameter.requires_grad for parameter in net.parameters()]
    for refused in (
        lambda: net.tune(["liver", "tumour"]),
        lambda: net.remove_class("tumour"),
        lambda: net(images(), ["tumour"]),
    ):
        with pytest.raises(ConfigError, match="unknown class 'tumour'; known: liver"):
            refused()
    with pytest.raises(ConfigError, match="'liver' has tokens already"):
        net.add_class("liver")
    with pytest.raises(ConfigError, match="no class to segment"):
        network()(images())
    with pytest.raises(ConfigError, match="0 tokens"):
        network(tokens=0)
    assert [parameter.requires_grad for parameter in net.parameters()] == state


def test_the_share_of_one_new_class_at_the_published_size():
    kernels, strides = [[3] * 3] * 5, [[1] * 3] + [[2] * 3] * 4
    net = PUNet(1, (96, 96, 96), [32, 64, 128, 256, 384], kernels, strides)
    # A concurrent class and the background come with the pretrained network, and are frozen.
    for name in ("background", "liver", "spleen"):
        net.add_class(name)
    net.tune(["spleen"])
    tuned = sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)
    body = sum(parameter.numel() for parameter in net.body.parameters())
    assert body == pytest.approx(6.8e6, rel=0.05)
    assert 0.006 < tuned / body <= 0.009
    assert f"{tuned:,} tuned parameters, {100 * tuned / body:.2f} %" in net.parameter_summary()


@pytest.mark.parametrize("jointly", [False, True])
def test_half_precision(jointly):
    net = network("a", "b")
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(images(), jointly=jointly)
    assert logits.dtype == torch.float32
    in_full = net(images(), jointly=jointly)
    assert (logits - in_full).abs().mean() < 0.05 * in_full.abs().mean()
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_checkpoint_fills_the_body_and_no_class(tmp_path):
    there, here = network("a"), network("b", seed=1)
    kept = here.prompt("b").head.clone()
    load_backbone(here, Pretrained(tmp_path, there.state_dict(), {}, {}, "3d_fullres", "nnUNetTrainerPUNet"))
    x = images()
    with torch.no_grad():
        assert torch.equal(here.body(x), there.body(x))
    assert torch.equal(here.prompt("b").head, kept)
    assert set(here.frozen_state()) | set(here.tuned_state()) == {n for n, _ in here.named_parameters()}
    assert not list(here.buffers())  # which the two states would miss


def test_settings_are_those_of_nnunets_plans():
    assert PUNet(**settings(2)).class_names == []
