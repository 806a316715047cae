"""Features and disagreeing predictions, of each kind of network that gives them."""

import backbones
import pytest
import torch
from small_punets import images, settings
from torch import nn

from nnunet_slpt.config import PUNET_VARIANTS, PromptConfig, PUNetConfig
from nnunet_slpt.networks import PromptedUNet
from nnunet_slpt.networks.punet import LabelPUNet
from nnunet_slpt.selection.abilities import PromptsAsChannels, encoder_of, members_of, without_scale_shift


def punet(variant="tokens", **changes):
    torch.manual_seed(0)
    prompted = "full" if PUNetConfig(tuned=variant).tokens_inside else "none"
    measures = settings(3) | {"tokens": 5, "prompted": prompted} | changes
    made = LabelPUNet(["liver", "tumour"], **measures)
    made.choose_tuned(variant)
    return made.eval()


def prompted(count):
    config = PromptConfig(prompts=count, prompt_channels=2, width=4)
    return PromptedUNet(backbones.plain(), backbones.patch(), backbones.CLASSES, config, False)


def test_features_of_nnunets_networks():
    network = backbones.residual()
    assert encoder_of(network) is network.encoder
    assert encoder_of(prompted(1)) is not None
    assert encoder_of(nn.Conv3d(1, 1, 1)) is None


def test_features_behind_a_prompt_tuning_are_those_of_the_pretrained_network():
    tuned = prompted(2)
    x = torch.randn(1, 2, *backbones.patch())
    with torch.no_grad():
        before = encoder_of(tuned)(x)
        for parameter in tuned.scale_shift.parameters():
            parameter.fill_(0.5)
        assert not torch.equal(encoder_of(tuned)(x)[-1], before[-1])
        tuned.load_state_dict(without_scale_shift(tuned.state_dict()))
        assert all(torch.equal(*pair) for pair in zip(before, encoder_of(tuned)(x), strict=True))


@pytest.mark.parametrize("variant", ["tokens", "adapter"])
def test_features_of_a_punet(variant):
    network = punet(variant)
    with torch.no_grad():
        features = encoder_of(network)(images())
        assert [tuple(one.shape[1:]) for one in features] == [(4, 4, 20, 12), (8, 4, 10, 6), (12, 2, 5, 3)]
        assert all(torch.equal(*pair) for pair in zip(features, encoder_of(network)(images()), strict=True))


def test_a_classes_tokens_are_no_part_of_the_features():
    network = punet()
    with torch.no_grad():
        before = encoder_of(network)(images())
        network.remove_class("liver")
        assert all(torch.equal(*pair) for pair in zip(before, encoder_of(network)(images()), strict=True))


@pytest.mark.parametrize(
    ("network", "members"),
    [
        (backbones.plain, 0),
        (lambda: prompted(1), 1),
        (lambda: prompted(3), 3),
        (lambda: punet(tokens=1), 0),
        (lambda: punet(tokens=2), 2),
        (punet, 4),
        *((lambda variant=variant: punet(variant), 4) for variant in PUNET_VARIANTS[1:]),
    ],
)
def test_how_many_predictions_disagree(network, members):
    network = network()
    assert members_of(network) == members
    if members:
        x = images()
        with torch.no_grad():
            assert network.predict_prompts(x).shape[0] == members


def test_side_by_side():
    network = punet()
    with torch.no_grad():
        predictions, channels = network.predict_prompts(images()), PromptsAsChannels(network)(images())
    assert torch.equal(channels.unflatten(1, (4, 3)).transpose(0, 1), predictions)
    assert (predictions[0] - predictions[1]).abs().max() > 1e-4
