"""The body: any patch that nnU-Net plans, and the published size."""

from __future__ import annotations

import pytest
import torch
from small_punets import images, network, patch, settings

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks.punet.attention import PromptableAttention
from nnunet_slpt.networks.punet.body import Body
from nnunet_slpt.networks.punet.plan import BodyPlan


@pytest.mark.parametrize("axes", [2, 3])
def test_features_have_the_grid_of_the_images(axes):
    body = Body(BodyPlan(**settings(axes)))
    assert body(images(axes)).shape == (2, 4, *patch(axes))


def test_images_larger_than_the_patch_are_taken_and_unfit_ones_refused():
    body = Body(BodyPlan(**settings(3)))
    assert body(torch.zeros(1, 2, 6, 24, 28)).shape == (1, 4, 6, 24, 28)
    with pytest.raises(ArchitectureError, match="4 x 21 x 12"):
        body(torch.zeros(1, 2, 4, 21, 12))


def test_windows_are_clipped_to_the_grid_of_their_stage():
    windows = [
        attention.window
        for attention in network().body.attentions
        if isinstance(attention, PromptableAttention) and not attention.shifted
    ]
    # 4 x 20 x 12, 4 x 10 x 6, 2 x 5 x 3, and up again.
    assert windows == [(4, 4, 4), (4, 4, 3), (2, 3, 3), (4, 4, 3), (4, 4, 4)]


def test_a_deep_anisotropic_plan():
    # As nnU-Net plans prostate MRI: strides that leave the first axis alone for long.
    body = Body(
        BodyPlan(
            input_channels=1,
            patch_size=(8, 32, 32),
            features_per_stage=[4, 4, 8, 8],
            kernel_sizes=[[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3]],
            strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2], [1, 2, 2]],
        )
    )
    assert body(torch.zeros(1, 1, 8, 32, 32)).shape == (1, 4, 8, 32, 32)


@pytest.mark.parametrize("axes", [2, 3])
def test_the_encoders_features_are_what_the_decoder_gets(axes):
    body = Body(BodyPlan(**settings(axes))).eval()
    seen = []
    body.convolutions[2].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    body.upsamplings[0].register_forward_hook(lambda module, inputs, output: seen.extend(inputs))
    with torch.no_grad():
        body(images(axes))
        features = body.encode(images(axes))
    into_deepest, deepest, skip = seen[:3]
    for got, expected in zip(features[1:], (into_deepest, deepest), strict=True):
        torch.testing.assert_close(got, expected)
    torch.testing.assert_close(features[1], skip)
