"""K heads in one tensor: each is a plain convolution, and may start from a pretrained one."""

from __future__ import annotations

import torch
from torch.nn import functional

from nnunet_slpt.networks.heads import PromptHeads


def heads() -> PromptHeads:
    torch.manual_seed(0)
    made = PromptHeads(3, [8, 4], classes=2, axes=3)
    with torch.no_grad():
        for bias in made.biases:
            bias.normal_()
    return made


def test_each_prompt_has_a_convolution_of_its_own() -> None:
    made, features = heads(), torch.randn(2, 4, 3, 3, 3)
    for k in (2, 0):
        expected = functional.conv3d(features, made.weights[1][k], made.biases[1][k])
        torch.testing.assert_close(made(features, 1, k), expected)


def test_heads_start_different() -> None:
    weights = heads().weights[0]
    assert not torch.equal(weights[0], weights[1])


def test_known_labels_start_from_the_pretrained_rows_and_others_stay() -> None:
    made = heads()
    before = made.weights[0].detach().clone()
    weight, bias = torch.randn(3, 8, 1, 1, 1), torch.randn(3)
    made.start_from(0, weight, bias, {1: 2})
    for k in range(3):
        assert torch.equal(made.weights[0][k, 1], weight[2])
        assert made.biases[0][k, 1] == bias[2]
        assert torch.equal(made.weights[0][k, 0], before[k, 0])
