"""The head, against a computation voxel by voxel."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from nnunet_slpt.networks.punet.head import MARGIN, likeness, logits_of


def by_hand(feature, tokens, weights=None):
    """Likeness of one voxel (C,) with tokens (T, C), and the weights of the tokens."""
    cosines = [feature @ token / (feature.norm() * token.norm()) for token in tokens]
    similarities = torch.stack([(cosine + 1) / 2 for cosine in cosines])
    if weights is None:
        powers = [math.exp(s.item()) for s in similarities]
        weights = [power / sum(powers) for power in powers]
    return sum(weight * s for weight, s in zip(weights, similarities, strict=True)), weights


def test_of_every_voxel():
    features, tokens = torch.randn(2, 5, 3, 4), torch.randn(6, 5)
    got = likeness(features, tokens)
    for b, i, j in product(range(2), range(3), range(4)):
        torch.testing.assert_close(got[b, i, j], by_hand(features[b, :, i, j], tokens)[0])


def test_weights_have_no_gradient():
    feature, tokens = torch.randn(5), torch.randn(6, 5, requires_grad=True)
    (got,) = torch.autograd.grad(likeness(feature[None, :, None, None], tokens).sum(), tokens)
    _, weights = by_hand(feature, tokens)
    (expected,) = torch.autograd.grad(by_hand(feature, tokens, weights)[0], tokens)
    torch.testing.assert_close(got, expected)


def test_it_is_one_along_the_token_and_zero_against_it():
    token = torch.randn(1, 5)
    features = torch.stack([3 * token[0], -token[0]], 1)[None, :, :, None]
    torch.testing.assert_close(likeness(features, token)[0, :, 0], torch.tensor([1.0, 0.0]))


def test_the_sigmoid_of_a_logit_is_the_likeness():
    given = torch.linspace(0, 1, 11, requires_grad=True)
    logits = logits_of(given)
    torch.testing.assert_close(logits.sigmoid(), given, atol=1.01 * MARGIN, rtol=0)
    (gradient,) = torch.autograd.grad(logits.sum(), given)
    assert (gradient > 0).all()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_it_is_computed_in_full_precision(dtype):
    features, tokens = torch.randn(1, 5, 3, 4).to(dtype), torch.randn(6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        got = likeness(features, tokens)
    assert torch.equal(got, likeness(features.float(), tokens))
