"""Attention in windows equals attention among all voxels, masked by region, and learns nothing of padding."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from nnunet_slpt.networks.punet import attention as module
from nnunet_slpt.networks.punet.attention import PromptableAttention, heads_for
from nnunet_slpt.networks.punet.tokens import Site, SiteTokens

CASES = [
    ((4, 6, 8), (2, 3, 4)),  # anisotropic
    ((4, 7, 5), (2, 3, 4)),  # padding
    ((6, 8), (3, 4)),
    ((5, 7), (4, 4)),
    ((2, 9), (4, 4)),  # smaller than the window along one axis
    ((3, 4), (3, 4)),  # one window
]
CHANNELS = 32  # two heads


def made(window, shifted):
    torch.manual_seed(0)
    return PromptableAttention(CHANNELS, window, shifted).double()


def tokens(seed):
    torch.manual_seed(seed)
    return SiteTokens(Site(CHANNELS, heads_for(CHANNELS)), 3).double()


def region(place, grid, window, shifted):
    """Number of the window that a voxel lies in, on a grid without end whose windows are moved."""
    steps = [width // 2 if shifted and size > width else 0 for size, width in zip(grid, window, strict=True)]
    return [(p - s) // w for p, s, w in zip(place, steps, window, strict=True)]


def brute_force(attention, x, classes):
    """Every voxel against every other and every token, (C, *S) to the same; pair by pair."""
    grid = x.shape[1:]
    places = list(product(*map(range, grid)))
    rows = attention.norm(x.flatten(1).T)
    extra = [attention.norm(one.tokens) for one in classes]
    query = attention.query(rows)
    key, value = attention.key_value(torch.cat([rows, *extra])).chunk(2, -1)
    width = CHANNELS // attention.heads
    heads = []
    for h in range(attention.heads):
        part = slice(h * width, (h + 1) * width)
        scores = query[:, part] @ key[:, part].T / math.sqrt(width)
        own = [(one.bias.weights @ one.bias.embeddings.T)[h] for one in classes]
        bias = torch.cat([pairs(attention, places, grid, h), *[b.expand(len(rows), -1) for b in own]], 1)
        heads.append((scores + bias).softmax(1) @ value[:, part])
    return x + attention.out(torch.cat(heads, 1)).T.reshape(x.shape)


def pairs(attention, places, grid, h):
    """What is added to the scores of voxels: their offset's bias, or −∞ if their regions differ."""
    table = torch.full((len(places), len(places)), -math.inf, dtype=torch.float64)
    weights, embeddings = attention.bias.weights[h], attention.bias.embeddings
    of_offset = [[torch.dot(weights, one).item() for one in embedding] for embedding in embeddings]
    regions = [region(place, grid, attention.window, attention.shifted) for place in places]
    for (i, here), (j, there) in product(enumerate(places), repeat=2):
        if regions[i] == regions[j]:
            table[i, j] = sum(
                values[a - b + size - 1]
                for values, a, b, size in zip(of_offset, here, there, attention.window, strict=True)
            )
    return table


@pytest.mark.parametrize(("grid", "window"), CASES)
@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("classes", [0, 2])
@torch.no_grad()
def test_it_equals_brute_force(grid, window, shifted, classes):
    attention, prompts = made(window, shifted), [tokens(seed) for seed in range(classes)]
    x = torch.randn(2, CHANNELS, *grid, dtype=torch.float64)
    expected = torch.stack([brute_force(attention, image, prompts) for image in x])
    torch.testing.assert_close(attention(x, prompts), expected)


def test_every_gradient_is_finite_where_there_is_padding():
    attention, prompts = made((4, 4), shifted=True), [tokens(0)]
    x = torch.randn(1, CHANNELS, 5, 6, dtype=torch.float64, requires_grad=True)
    attention(x, prompts).square().sum().backward()
    for tensor in (x, *attention.parameters(), *prompts[0].parameters()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_it_can_be_trained_after_it_was_used_in_inference_mode():
    attention, x = made((3, 2), shifted=True), torch.randn(1, CHANNELS, 5, 11, dtype=torch.float64)
    with torch.inference_mode():
        attention(x)
    attention(x).sum().backward()
    assert attention.query.weight.grad is not None


@pytest.mark.parametrize(("channels", "heads"), [(32, 2), (320, 8), (96, 6), (51, 3), (113, 1), (7, 1)])
def test_heads_divide_the_channels(channels, heads):
    assert heads_for(channels) == heads


def test_many_windows_are_attended_to_in_parts(monkeypatch):
    attention, x = made((2, 3, 4), True), torch.randn(2, CHANNELS, 4, 6, 8).double()
    whole = attention(x, [tokens(1)])
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(module, "MOST_WINDOWS", 1)
    monkeypatch.setattr(
        module.F,
        "scaled_dot_product_attention",
        lambda *parts: seen.append(len(parts[0])) or attend(*parts),
    )
    torch.testing.assert_close(attention(x, [tokens(1)]), whole)
    assert {*seen} == {1}
