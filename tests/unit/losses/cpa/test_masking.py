"""Hidden blocks: as many as asked for, whole ones, the same again from the same generator."""

from __future__ import annotations

import pytest
import torch

from nnunet_slpt.errors import ArchitectureError, ConfigError
from nnunet_slpt.losses.cpa import hide_blocks


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("grid", "block"), [((8, 12), (2, 3)), ((4, 6, 8), (2, 3, 2))])
@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
def test_share_of_each_sample(grid: tuple[int, ...], block: tuple[int, ...], share: float) -> None:
    _, hidden = hide_blocks(torch.ones(3, 2, *grid), share, block, seeded())
    assert hidden.shape == (3, 1, *grid)
    assert hidden.float().flatten(1).mean(1).tolist() == [share] * 3


def test_hidden_is_zero_and_the_rest_untouched() -> None:
    images = torch.rand(2, 3, 8, 8) + 1
    before = images.clone()
    shown, hidden = hide_blocks(images, 0.5, (2, 2), seeded())
    assert torch.equal(shown, torch.where(hidden, 0, images))
    assert torch.equal(images, before)


def test_blocks_are_whole() -> None:
    _, hidden = hide_blocks(torch.ones(2, 1, 8, 9, 4), 0.4, (4, 3, 2), seeded())
    blocks = hidden.unfold(2, 4, 4).unfold(3, 3, 3).unfold(4, 2, 2).flatten(-3).float().mean(-1)
    assert set(blocks.unique().tolist()) == {0.0, 1.0}


def test_reproducible_and_different_each_time() -> None:
    images = torch.ones(2, 1, 16, 16)
    generator = seeded()
    first, second = (hide_blocks(images, 0.5, (2, 2), generator)[1] for _ in range(2))
    assert torch.equal(first, hide_blocks(images, 0.5, (2, 2), seeded())[1])
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_blocks_that_do_not_divide_the_image_keep_the_share_on_average() -> None:
    _, hidden = hide_blocks(torch.ones(2000, 1, 5, 7), 0.5, (2, 3), seeded())
    everywhere = hidden.float().mean(0)
    # 4 or 5 of 9 blocks: half of 9 is rounded to even.
    torch.testing.assert_close(everywhere, torch.full_like(everywhere, 4 / 9), rtol=0, atol=0.04)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(ConfigError, match="share of hidden blocks out of range"):
        hide_blocks(torch.ones(1, 1, 4, 4), share, (2, 2), seeded())


@pytest.mark.parametrize("block", [(), (2,), (2, 2, 2), (0, 2)])
def test_blocks_that_do_not_fit(block: tuple[int, ...]) -> None:
    with pytest.raises(ArchitectureError, match="blocks cannot be hidden"):
        hide_blocks(torch.ones(1, 1, 4, 4), 0.5, block, seeded())
