"""What a PUNet's pretraining can be told: values out of range are refused."""

from __future__ import annotations

from typing import Any

import pytest

from nnunet_slpt.config import PUNetPretrainConfig
from nnunet_slpt.errors import ConfigError


@pytest.mark.parametrize("value", [1, 0, -2, 2.0, True, "4", None])
def test_one_prototype_teaches_nothing(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"prototypes.*a whole number from 2 on"):
        PUNetPretrainConfig(prototypes=value)


def test_two_do() -> None:
    assert PUNetPretrainConfig.from_plans({"slpt": {"prototypes": 2}}).prototypes == 2
