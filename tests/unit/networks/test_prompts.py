"""K prompts from one meta prompt: scaled, distinct, bounded."""

from __future__ import annotations

import pytest
import torch

from nnunet_slpt.losses import pairwise_cosine
from nnunet_slpt.networks import DiversifiedPrompts
from nnunet_slpt.networks.dimensions import resize
from nnunet_slpt.networks.prompts import signature

each_patch = pytest.mark.parametrize("patch", [(12, 10), (6, 9, 8), (1, 8, 8)])


def prompts(patch: tuple[int, ...] = (6, 9, 8), count: int = 3, started: bool = True) -> DiversifiedPrompts:
    torch.manual_seed(0)
    made = DiversifiedPrompts(patch, count)
    if started:
        made.start_from(torch.rand(patch))
    return made


@each_patch
def test_mean_0_and_variance_1(patch: tuple[int, ...]) -> None:
    made = prompts(patch)()
    flat = made.flatten(1)
    assert made.shape == (3, 1, *patch)
    torch.testing.assert_close(flat.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(flat.var(1, correction=0), torch.ones(3), atol=1e-2, rtol=0)


@each_patch
def test_they_are_distinct_also_when_centred(patch: tuple[int, ...]) -> None:
    cosines = pairwise_cosine(prompts(patch)())
    assert cosines[~torch.eye(3, dtype=torch.bool)].max() < 0.99


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e3])
def test_they_stay_bounded_after_steps_of_any_size(rate: float) -> None:
    made = prompts()
    optimizer = torch.optim.Adam(made.parameters(), rate)
    goal = torch.randn(3, 1, 6, 9, 8)
    for _ in range(20):
        optimizer.zero_grad()
        (made() * goal).mean().backward()
        optimizer.step()
    flat = made().detach().flatten(1)
    assert flat.isfinite().all()
    assert flat.square().mean(1).max() <= 1 + 1e-4


@each_patch
def test_the_meta_prompt_is_the_probability_at_half_the_size(patch: tuple[int, ...]) -> None:
    made = prompts(patch, started=False)
    made.start_from(torch.full(patch, 0.25))
    assert made.meta.shape[2:] == tuple((size + 1) // 2 for size in patch)
    torch.testing.assert_close(made.meta, torch.zeros_like(made.meta))
    half = torch.rand(made.meta.shape[2:], generator=torch.Generator().manual_seed(0))
    made.start_from(resize(half[None, None], patch)[0, 0] / 1000)
    torch.testing.assert_close(made.meta.mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(made.meta.square().mean(), torch.tensor(1.0))


def test_steps_do_not_write_over_where_small_lesions_were() -> None:
    """AdamW moves each voxel as far, whatever the unit of the map."""
    probability = torch.zeros(24, 24, 24)
    probability[10:13, 11:14, 9:12] = 0.02
    made = prompts((24, 24, 24), started=False)
    made.start_from(probability)
    start = made.meta.detach().clone()
    goal = torch.randn(3, 1, 24, 24, 24, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2, weight_decay=0)
    for _ in range(10):
        optimizer.zero_grad()
        (made() * goal).mean().backward()
        optimizer.step()
    alike = torch.corrcoef(torch.stack([start.flatten(), made.meta.detach().flatten()]))[0, 1]
    assert alike > 0.99


def test_prompts_show_where_the_foreground_is() -> None:
    probability = torch.zeros(12, 10)
    probability[3:9, 2:8] = 1
    made = prompts((12, 10), started=False)
    made.start_from(probability)
    inside, outside = made()[..., 4:8, 3:7], made()[..., :2, :]
    assert ((inside.mean((1, 2, 3)) - outside.mean((1, 2, 3))).abs() > 0.1).all()


def test_without_any_foreground_they_are_finite() -> None:
    assert prompts(started=False)().isfinite().all()


@pytest.mark.parametrize("size", [(12, 10), (3, 9), (6, 9, 8), (1, 2, 5)])
def test_a_signature_is_what_adaptive_pooling_sees(size: tuple[int, ...]) -> None:
    maps = torch.randn(3, 1, *size, generator=torch.Generator().manual_seed(0))
    pool = (
        torch.nn.functional.adaptive_avg_pool2d if len(size) == 2 else torch.nn.functional.adaptive_avg_pool3d
    )
    means = pool(maps, 4).flatten(1)
    expected = means / (means.square().mean(1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(signature(maps), expected)
