"""Pretrained weights in a prompted network, all or nothing; their heads; their hash."""

import pytest
import torch
from torch import nn

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks.lora import add_lora
from nnunet_slpt.pretrained import base_hash, load_backbone, pretrained_heads, read_checkpoint, shared_heads
from nnunet_slpt.pretrained.backbone import ADDED


@pytest.mark.parametrize("kinds", [{}, {"axes": 2}, {"residual": True}, {"norm": "BatchNorm"}])
def test_every_frozen_tensor_is_copied(prompted, pretrained, kinds):
    network, source = prompted(**kinds), pretrained(**kinds)
    load_backbone(network, source)
    assert all(torch.equal(tensor, source.weights[name]) for name, tensor in network.frozen_state().items())


def test_tuned_tensors_are_left_alone(prompted, pretrained):
    network = prompted()
    before = {name: tensor.clone() for name, tensor in network.tuned_state().items()}
    load_backbone(network, pretrained())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.tuned_state().items())


def test_a_tuned_network_serves_as_base_of_another_tuning(save_weights, prompted):
    first, second = prompted(classes=4, prompts=3), prompted()
    base = read_checkpoint(save_weights(first.state_dict()))
    load_backbone(second, base)
    assert base_hash(second.frozen_state()) == base_hash(first.frozen_state())
    assert pretrained_heads(base) == []
    assert shared_heads(base, base.labels) == {}


def test_heads_are_shared_by_name(pretrained):
    assert shared_heads(pretrained(), {"background": 0, "tumour": 1, "vessel": 2}) == {0: 0, 1: 2}


def test_a_tuning_with_lora_is_no_base_and_says_what_is(save_weights, backbone, prompted):
    tuned = backbone()
    add_lora(tuned.encoder, rank=1)
    with pytest.raises(ArchitectureError, match=r"was tuned with LoRA.*Start from the network that it was"):
        load_backbone(prompted(), read_checkpoint(save_weights(tuned.state_dict())))


@pytest.mark.parametrize("settings", [{}, {"updaters": False}])
def test_the_parts_that_a_tuning_adds_are_known(prompted, settings):
    added = {name.split(".")[0] for name in prompted(settings=settings).tuned_state()}
    assert added <= ADDED


@pytest.mark.parametrize("settings", [{"scale_shift": False}, {"updaters": False}])
def test_whatever_parts_the_two_tunings_have(save_weights, prompted, settings):
    first, second = prompted(classes=4), prompted(settings=settings)
    for one, other in ((first, second), (second, first)):
        load_backbone(other, read_checkpoint(save_weights(one.state_dict())))
        assert base_hash(other.frozen_state()) == base_hash(one.frozen_state())


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ({"axes": 2}, r"dimensions: got 2D, expected 3D\."),
        ({"channels": 2}, "input channels .*: got 2, expected 1"),
        ({"widths": (4, 6)}, "encoder stages: got 2, expected 3"),
        ({"widths": (4, 6, 8, 8)}, "encoder stages: got 4, expected 3"),
        ({"widths": (4, 6, 16)}, "features per stage: got 4, 6, 16, expected 4, 6, 8"),
        ({"residual": True}, "kind of blocks: got residual, expected plain"),
        ({"norm": "BatchNorm"}, "normalisation: got batch norm, expected instance norm"),
        ({"blocks": 2}, "layers inside the stages"),
    ],
)
def test_what_does_not_fit_is_said_in_words(prompted, pretrained, kinds, words):
    with pytest.raises(ArchitectureError, match=words):
        load_backbone(prompted(), pretrained(**kinds))


def test_a_misfit_names_layers_shapes_and_the_way_out(prompted, pretrained):
    with pytest.raises(ArchitectureError) as refusal:
        load_backbone(prompted(), pretrained(widths=(4, 6, 16)))
    message = str(refusal.value)
    assert (
        "encoder.stages.2.0.convs.0.conv.weight: got 16 x 6 x 3 x 3 x 3, expected 8 x 6 x 3 x 3 x 3"
        in message
    )
    assert "nnunet_slpt_plan -d TARGET -m " in message
    assert "more" in message


def test_a_missing_layer_is_named(save_weights, backbone, prompted):
    weights = backbone().state_dict()
    del weights["decoder.transpconvs.0.weight"]
    with pytest.raises(ArchitectureError, match=r"decoder\.transpconvs\.0\.weight: got no such layer"):
        load_backbone(prompted(), read_checkpoint(save_weights(weights)))


def test_a_layer_left_over_is_refused(save_weights, backbone, prompted):
    weights = {**backbone().state_dict(), "attention.gate.weight": torch.ones(2)}
    with pytest.raises(ArchitectureError, match=r"attention\.gate\.weight: got 2, expected no such layer"):
        load_backbone(prompted(), read_checkpoint(save_weights(weights)))


def test_nothing_is_copied_unless_everything_fits(prompted, pretrained):
    network = prompted()
    before = base_hash(network.frozen_state())
    with pytest.raises(ArchitectureError):
        load_backbone(network, pretrained(widths=(4, 6, 16)))
    assert base_hash(network.frozen_state()) == before


def test_heads_come_in_running_order_however_many(save_weights):
    weights = {
        f"decoder.seg_layers.{i}.{kind}": torch.full((2,), i)
        for i in (10, 2, 1)
        for kind in ("weight", "bias")
    }
    heads = pretrained_heads(read_checkpoint(save_weights(weights)))
    assert [(int(weight[0]), int(bias[0])) for weight, bias in heads] == [(1, 1), (2, 2), (10, 10)]


def test_every_decoder_stage_has_a_head(pretrained):
    heads = pretrained_heads(pretrained(classes=3))
    assert [(tuple(w.shape), tuple(b.shape)) for w, b in heads] == [
        ((3, 6, 1, 1, 1), (3,)),
        ((3, 4, 1, 1, 1), (3,)),
    ]


def test_the_hash_does_not_depend_on_order_or_layout():
    a, b = torch.arange(6.0).reshape(2, 3), torch.tensor(3)
    transposed = a.t().contiguous().t()
    assert not transposed.is_contiguous()
    assert base_hash({"a": a, "b": b}) == base_hash({"b": b.clone(), "a": transposed})


@pytest.mark.parametrize(
    "other",
    [
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(2, 3, dtype=torch.int32)},
        {"a": -torch.zeros(2, 3)},
        {"a": torch.zeros(2, 3), "b": torch.zeros(0)},
    ],
)
def test_the_hash_knows_names_shapes_types_and_bits(other):
    assert base_hash(other) != base_hash({"a": torch.zeros(2, 3)})


def test_the_hash_takes_bfloat16_and_parameters():
    weight = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    assert base_hash({"a": weight}) == base_hash({"a": torch.ones(2, dtype=torch.bfloat16)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_hash_is_the_same_on_a_gpu(backbone):
    state = backbone().state_dict()
    assert base_hash(state) == base_hash({name: tensor.cuda() for name, tensor in state.items()})
