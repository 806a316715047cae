"""The diversity loss: only different patterns lower it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.losses import diversity_loss, pairwise_cosine


def some_prompts(count: int = 3, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *(shape or (1, 6, 5, 4)), generator=torch.Generator().manual_seed(seed))


def like_prompts() -> torch.Tensor:
    """Three prompts that share most of their pattern, as after initialisation from one meta prompt."""
    return some_prompts(1) + 0.3 * some_prompts(3, seed=1)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_identical_prompts_give_the_number_of_pairs(count: int) -> None:
    prompts = some_prompts(1).expand(count, -1, -1, -1, -1)
    assert diversity_loss(prompts).item() == pytest.approx(count * (count - 1) / 2, rel=1e-5)


def test_orthogonal_patterns_give_zero() -> None:
    waves = torch.tensor([[1.0, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    assert diversity_loss(waves + torch.tensor([[0.0], [3], [-7]])).item() == pytest.approx(0, abs=1e-10)


def test_offsets_do_not_lower_it() -> None:
    prompts = like_prompts()
    offsets = torch.tensor([5.0, -5, 20]).view(3, 1, 1, 1, 1)
    torch.testing.assert_close(diversity_loss(prompts + offsets), diversity_loss(prompts), rtol=1e-4, atol=0)


def test_a_pattern_of_a_thousandth_of_the_level_counts_in_full() -> None:
    prompts = like_prompts()
    torch.testing.assert_close(diversity_loss(prompts + 1000), diversity_loss(prompts), rtol=1e-3, atol=0)


def test_signs_and_sizes_do_not_lower_it() -> None:
    prompts = like_prompts()
    factors = torch.tensor([1.0, -1, 1e-3]).view(3, 1, 1, 1, 1)
    torch.testing.assert_close(diversity_loss(prompts * factors), diversity_loss(prompts))
    torch.testing.assert_close(diversity_loss(prompts * 1e4), diversity_loss(prompts))


def cosines_of_pairs(prompts: torch.Tensor) -> torch.Tensor:
    a, b, c = prompts.flatten(1)
    return torch.stack([functional.cosine_similarity(*pair, 0) for pair in ((a, b), (a, c), (b, c))])


def test_squares_of_the_centred_prompts_cosines() -> None:
    prompts = some_prompts(3)
    centred = prompts - prompts.mean((1, 2, 3, 4), keepdim=True)
    torch.testing.assert_close(diversity_loss(prompts), cosines_of_pairs(centred).square().sum())


def test_the_papers_plain_sum_is_lowered_by_offsets_and_signs() -> None:
    """What squares and centring guard against."""
    prompts = like_prompts()
    paper = cosines_of_pairs(prompts).sum()
    signs = torch.tensor([1.0, -1, 1]).view(3, 1, 1, 1, 1)
    assert cosines_of_pairs(prompts * signs).sum() < paper
    assert cosines_of_pairs(prompts + 10 * signs).sum() < paper


@pytest.mark.parametrize("seed", range(5))
def test_bounds(seed: int) -> None:
    assert 0 <= diversity_loss(some_prompts(4, 3, seed=seed)).item() <= 6


def test_cosines_are_symmetric_with_ones_on_the_diagonal() -> None:
    cosines = pairwise_cosine(some_prompts(4))
    torch.testing.assert_close(cosines, cosines.T)
    torch.testing.assert_close(cosines.diagonal(), torch.ones(4))


def test_one_prompt_gives_zero_with_a_graph() -> None:
    prompts = some_prompts(1).requires_grad_()
    loss = diversity_loss(prompts)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert prompts.grad is not None
    assert not prompts.grad.any()


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 1e6])
def test_constant_prompts_have_no_pattern(level: float) -> None:
    prompts = torch.full((3, 1, 40, 30, 20), level)
    prompts[2] = some_prompts(1, 40, 30, 20)
    prompts.requires_grad_()
    loss = diversity_loss(prompts)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0, abs=1e-3)
    assert prompts.grad is not None
    assert prompts.grad.isfinite().all()


def test_gradient_in_double() -> None:
    prompts = some_prompts(3, 4, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(diversity_loss, (prompts,))


def test_descent_makes_patterns_differ() -> None:
    prompts = like_prompts().requires_grad_()
    optimizer = torch.optim.Adam([prompts], lr=0.05)
    for _ in range(50):
        optimizer.zero_grad()
        diversity_loss(prompts).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert pairwise_cosine(prompts).triu(1).abs().max() < 0.05


def test_half_precision_and_autocast() -> None:
    prompts = like_prompts()
    exact = diversity_loss(prompts)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(diversity_loss(prompts), exact)
    assert diversity_loss(prompts.half()).item() == pytest.approx(exact.item(), abs=1e-2)


def test_refuses_a_flat_list_of_numbers() -> None:
    with pytest.raises(ArchitectureError, match=r"expected \(K, \.\.\.\)"):
        diversity_loss(torch.zeros(3))
