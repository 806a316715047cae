"""Both biases, against their formulas written as loops."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from nnunet_slpt.networks.punet.bias import OffsetBias, TokenBias


@pytest.mark.parametrize("window", [(2, 3, 2), (3, 2), (1, 4)])
def test_of_voxels(window):
    bias = OffsetBias(window, heads=2)
    got = bias()
    places = list(product(*map(range, window)))
    for h, (i, here), (j, there) in product(range(2), enumerate(places), enumerate(places)):
        described = sum(
            table[a - b + size - 1]
            for table, a, b, size in zip(bias.embeddings, here, there, window, strict=True)
        )
        torch.testing.assert_close(got[h, i, j], torch.dot(bias.weights[h], described))


def test_of_voxels_has_a_direction():
    got = OffsetBias((4,), heads=1)()[0]
    assert not torch.allclose(got, got.T)


def test_of_tokens():
    bias = TokenBias(tokens=3, heads=2)
    for h, t in product(range(2), range(3)):
        torch.testing.assert_close(bias()[h, t], torch.dot(bias.weights[h], bias.embeddings[t]))
