"""Where a prompt may reach."""

from __future__ import annotations

import pytest

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.networks.punet.tokens import PROMPTED_RANGES, prompted_stages


def test_ranges():
    got = {name: list(prompted_stages(name, 3)) for name in PROMPTED_RANGES}
    assert got == {
        "none": [],
        "start": [0],
        "end": [4],
        "encoder": [0, 1, 2],
        "decoder": [3, 4],
        "full": [0, 1, 2, 3, 4],
    }


def test_an_unknown_range_comes_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'middle'; known: none, start, end, encoder, decoder, full"):
        prompted_stages("middle", 3)
