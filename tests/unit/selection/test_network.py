"""What a model refuses before it looks at a case."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnunet_slpt.errors import SelectionError
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
