"""The first layer for another number of channels: what it answers to, with the same bits anywhere."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv3d

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.pretrained import adapted_stem, stem_name


@pytest.fixture
def weight() -> torch.Tensor:
    return torch.randn(4, 2, 3, 3, 3, generator=torch.Generator().manual_seed(0))


def test_as_many_channels_leave_it_as_it_is(weight: torch.Tensor) -> None:
    assert adapted_stem(weight, 2, "average") is weight


def test_repeat_takes_the_channels_in_turn(weight: torch.Tensor) -> None:
    adapted = adapted_stem(weight, 3, "repeat")
    assert torch.allclose(adapted, weight[:, [0, 1, 0]] * 2 / 3)


def test_average_gives_every_channel_the_same(weight: torch.Tensor) -> None:
    adapted = adapted_stem(weight, 3, "average")
    assert torch.equal(adapted[:, 0], adapted[:, 2])
    assert torch.allclose(adapted.sum(1), weight.sum(1), atol=1e-6)


@pytest.mark.parametrize(("how", "channels"), [("average", 1), ("average", 5), ("repeat", 4)])
def test_the_answer_to_identical_channels_is_the_same(weight: torch.Tensor, how: str, channels: int) -> None:
    image = torch.randn(1, 1, 5, 5, 5, generator=torch.Generator().manual_seed(1))
    before = conv3d(image.expand(1, 2, -1, -1, -1), weight)
    after = conv3d(image.expand(1, channels, -1, -1, -1), adapted_stem(weight, channels, how))
    assert torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("how", ["repeat", "average"])
def test_the_type_stays(weight: torch.Tensor, how: str) -> None:
    assert adapted_stem(weight.half(), 3, how).dtype == torch.float16


def test_an_unknown_way_is_refused_with_the_known_ones(weight: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="unknown stem 'tile'; known: repeat, average"):
        adapted_stem(weight, 3, "tile")


def test_the_first_convolution_is_the_stem() -> None:
    assert stem_name({"norm": (4,), "first": (4, 1, 3, 3), "second": (4, 4, 3, 3)}) == "first"
    assert not stem_name({"norm": (4,)})
