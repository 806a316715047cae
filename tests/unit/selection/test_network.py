"""What a model refuses before it looks at a case, and whose predictions and features it gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnunet_slpt.errors import CheckpointError, SelectionError
from nnunet_slpt.selection.network import Model

ABOUT = {"channel_names": {"0": "CT"}, "file_ending": ".nii.gz"}


def model(previous_stage: str | None = None) -> Model:
    configuration = SimpleNamespace(previous_stage_name=previous_stage, preprocessor_class=SimpleNamespace)
    reader = SimpleNamespace(supported_file_endings=[".nii.gz"])
    predictor: Any = SimpleNamespace(
        configuration_manager=configuration,
        plans_manager=SimpleNamespace(image_reader_writer_class=reader),
        dataset_json=ABOUT,
    )
    return Model(Path("model"), (), predictor)


def test_the_second_stage_of_a_cascade_is_refused() -> None:
    model().check_fits(ABOUT)
    with pytest.raises(SelectionError, match=r"second stage .* 3d_lowres predicts .*: pass a model of"):
        model("3d_lowres").check_fits(ABOUT)


@pytest.mark.parametrize("processes", [0, 3])
def test_of_no_cases_nothing_is_preprocessed(processes: int) -> None:
    assert list(model().preprocess([], processes)) == []


class Encoder(nn.Module):
    """One stage: the image times a weight."""

    output_channels = (1,)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x * self.weight]


class TwoPrompts(nn.Module):
    """Prompt k and class c predict (10 k + c) times what the encoder sees."""

    members = 2

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def predict_prompts(self, x: Tensor) -> Tensor:
        factors = torch.tensor([[0.0, 1, 2], [10, 11, 12]])
        return factors.view(2, 1, 3, 1, 1) * self.encoder(x)[0]


class Predictor:
    """As much of nnU-Net's as is asked: two folds, with the weights 1 and 100; the window is the image."""

    label_manager = SimpleNamespace(num_segmentation_heads=3)
    configuration_manager = SimpleNamespace(patch_size=(4, 4))
    device = torch.device("cpu")
    list_of_parameters = tuple({"encoder.weight": torch.tensor([weight])} for weight in (1.0, 100.0))

    def __init__(self) -> None:
        self.network: nn.Module = TwoPrompts()

    def predict_sliding_window_return_logits(self, image: Tensor) -> Tensor:
        return self.network(image[None])[0]


def test_the_prompts_of_all_folds_are_compared_together() -> None:
    with torch.no_grad():
        logits = Model(Path("model"), (), Predictor()).predictions(torch.ones(1, 4, 4))
    assert logits[..., 0, 0].tolist() == [[0, 1, 2], [10, 11, 12], [0, 100, 200], [1000, 1100, 1200]]


def test_features_are_those_of_the_first_fold() -> None:
    image = torch.arange(16.0).view(1, 4, 4)
    (stage,) = Model(Path("model"), (), Predictor()).features(image)
    np.testing.assert_allclose(stage, [[7.5], [np.arange(16).std()]], rtol=1e-6)


def test_a_checkpoint_that_was_cut_short_is_told_as_such(tmp_path: Path) -> None:
    fold = tmp_path / "fold_0"
    fold.mkdir()
    for name in ("plans.json", "dataset.json"):
        (tmp_path / name).write_text("{}")
    whole = fold / "checkpoint_final.pth"
    torch.save({"network_weights": {"a": torch.ones(1000)}}, whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r"checkpoint_final\.pth.*(damaged|cut short)"):
        Model.load(tmp_path, None, whole.name, torch.device("cpu"), 0.5, mirroring=False)
    torch.save({"network_weights": {"a": torch.ones(1000)}}, whole)
    with pytest.raises(CheckpointError, match=r"cannot load the model in .*modelfolder"):
        Model.load(tmp_path, None, whole.name, torch.device("cpu"), 0.5, mirroring=False)
