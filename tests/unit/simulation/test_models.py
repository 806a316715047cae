"""Which pretrained model a method starts from."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import about, plans_of, write_model, write_punet

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.simulation.models import read_models
from nnunet_slpt.tuning_methods import PUNET, TUNING_METHODS, UNET


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("unet"), plans_of(), about())


@pytest.fixture(scope="module")
def punet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_punet(tmp_path_factory.mktemp("punet"))


def test_each_method_has_the_model_that_it_tunes(unet: Path, punet: Path) -> None:
    models = read_models([punet, unet], None)
    assert {kind: model.source for kind, model in models.by_network.items()} == {UNET: unet, PUNET: punet}
    for method in TUNING_METHODS:
        models.check_method(method)
    record = models.record()
    assert record["model"]["sha256"] != record["punet_model"]["sha256"]


def test_a_method_without_a_model_is_refused(unet: Path, punet: Path) -> None:
    with pytest.raises(SimulationError, match=r"method punet tunes a PUNet, and -m gives a U-Net"):
        read_models([unet], None).check_method("punet")
    with pytest.raises(SimulationError, match=r"method slpt tunes a U-Net .*, and -m gives a PUNet"):
        read_models([punet], None).check_method("slpt")
    assert read_models([unet], None).record()["punet_model"] is None


def test_two_models_of_one_kind_are_refused(unet: Path) -> None:
    with pytest.raises(SimulationError, match=r"two models of a U-Net .*: .* and .*Pass one of them"):
        read_models([unet, unet], None)
