"""The head, against a computation voxel by voxel."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from nnunet_slpt.networks.punet.head import MARGIN, SHARPNESS, class_logits, likeness, logits_of
from nnunet_slpt.networks.punet.tokens import ClassPrompt


def by_hand(feature, tokens, weights=None):
    """Likeness of one voxel (C,) with tokens (T, C), and the weights of the tokens."""
    cosines = [feature @ token / (feature.norm() * token.norm()) for token in tokens]
    similarities = torch.stack([(cosine + 1) / 2 for cosine in cosines])
    if weights is None:
        powers = [math.exp(s.item() / SHARPNESS) for s in similarities]
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


def test_a_class_can_look_like_several_things():
    prototypes = torch.eye(16)
    features = torch.cat([prototypes, -prototypes.sum(0, keepdim=True)]).T[None, :, :, None]
    got = likeness(features, prototypes)[0, :, 0]
    # Each token alone would give 1, and their mean 17/32.
    assert (got[:16] > 0.95).all()
    assert got[16] < 0.4


def test_the_sigmoid_of_a_logit_is_the_likeness():
    given = torch.linspace(0, 1, 11, requires_grad=True)
    logits = logits_of(given)
    torch.testing.assert_close(logits.sigmoid(), given, atol=1.01 * MARGIN, rtol=0)
    (gradient,) = torch.autograd.grad(logits.sum(), given)
    assert (gradient > 0).all()
    assert gradient.isfinite().all()


def with_head(tokens):
    prompt = ClassPrompt({}, channels=tokens.shape[1], tokens=len(tokens))
    prompt.head.data = tokens
    return prompt


def test_untuned_it_is_the_logit_of_the_likeness():
    features, tokens = torch.randn(1, 5, 3, 4), torch.randn(6, 5)
    assert torch.equal(class_logits(features, with_head(tokens)), logits_of(likeness(features, tokens)))


def test_scale_and_offset_move_the_logit():
    features, prompt = torch.randn(1, 5, 3, 4), with_head(torch.randn(6, 5))
    before = class_logits(features, prompt)
    prompt.scale.data.fill_(3.0)
    prompt.offset.data.fill_(-2.0)
    torch.testing.assert_close(class_logits(features, prompt), 3 * before - 2)


def test_one_pass_can_tell_background_from_classes_at_right_angles():
    # Without scale and offset the background's likeness with one of them is 0.15 at least.
    direction = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    features = torch.stack([*direction, -torch.ones(2)], 1)[None, :, :, None]
    prompts = [with_head(one[None]) for one in direction]
    for prompt in prompts:
        prompt.scale.data.fill_(8.0)
    likelihood = torch.stack([class_logits(features, prompt) for prompt in prompts]).sigmoid()[:, 0, :, 0]
    torch.testing.assert_close(likelihood, torch.tensor([[1.0, 0.5, 0], [0.5, 1.0, 0]]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_it_is_computed_in_full_precision(dtype):
    features, tokens = torch.randn(1, 5, 3, 4).to(dtype), torch.randn(6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        got = likeness(features, tokens)
    assert torch.equal(got, likeness(features.float(), tokens))
