"""The names of the methods that are compared: their trainers exist, their settings are accepted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nnunet_slpt.config import PUNET_VARIANTS, PromptConfig, PUNetConfig
from nnunet_slpt.config.prompts import PARTS
from nnunet_slpt.tuning_methods import PUNET, TUNING_METHODS

each_method = pytest.mark.parametrize("name", TUNING_METHODS)


@each_method
def test_its_trainer_exists(name: str) -> None:
    from nnunet_slpt import trainers

    assert TUNING_METHODS[name].trainer in trainers.__all__


@each_method
def test_its_settings_are_accepted_and_change_something(name: str) -> None:
    settings = dict(TUNING_METHODS[name].settings)
    kind = PUNetConfig if TUNING_METHODS[name].network == PUNET else PromptConfig
    config = kind.from_plans({"slpt": settings})
    assert (config == kind()) == (not settings)


def test_no_two_methods_are_the_same() -> None:
    kinds = [(method.trainer, str(dict(method.settings))) for method in TUNING_METHODS.values()]
    assert len(set(kinds)) == len(kinds)


def test_every_trainer_and_every_part_has_a_method() -> None:
    from nnunet_slpt import trainers

    pretrainer = "nnUNetTrainerPUNetPretrain"  # which tunes nothing
    assert {method.trainer for method in TUNING_METHODS.values()} == {*trainers.__all__} - {pretrainer}
    of_punet = {name for name, method in TUNING_METHODS.items() if method.network == PUNET}
    assert of_punet == {"punet", *(f"punet_{variant}" for variant in PUNET_VARIANTS[1:])}
    left_out = {
        key for method in TUNING_METHODS.values() for key, value in method.settings.items() if value is False
    }
    assert left_out == set(PARTS)


def test_it_is_imported_without_torch() -> None:
    program = "import sys, nnunet_slpt.tuning_methods; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
