"""Copying pretrained weights into a prompted network: all or nothing."""

import pytest
import torch

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.pretrained import base_hash, load_backbone, pretrained_heads, read_checkpoint


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
