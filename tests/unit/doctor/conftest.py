"""What the checks examine, with images that nobody has to read, and folders with real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import about, plans_of

from nnunet_slpt.datasets import Case
from nnunet_slpt.discovery import HOST_VARIABLE, search_folder
from nnunet_slpt.doctor.examined import Examined, Seen
from nnunet_slpt.doctor.looks import Look, Range
from nnunet_slpt.planners.draft import Request
from nnunet_slpt.planners.transfer import Wishes
from nnunet_slpt.pretrained import Model, Pretrained

ORDINARY = {
    "spacing_mm": (1.0, 1.0, 1.0),
    "shape": (16, 16, 16),
    "orientation": "LPS",
    "ranges": (Range(-1000.0, -900.0, 900.0, 1000.0),),
}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("raw", "preprocessed", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    monkeypatch.setenv(HOST_VARIABLE, search_folder())
    return tmp_path


@pytest.fixture
def look() -> Callable[..., Look]:
    """A look at an ordinary case, but for what is named."""

    def make(name: str = "case", labelled: bool = True, **unlike: Any) -> Look:
        return Look(
            Case(name, (Path(f"{name}_0000.nii.gz"),), Path(f"{name}.nii.gz"), labelled),
            **{**ORDINARY, **unlike},
        )

    return make


@pytest.fixture
def examined(tmp_path: Path) -> Callable[..., Examined]:
    """A model beside a dataset of which these are the looks."""

    def make(looks: Iterable[Look], plans: Any = None, **unlike: Any) -> Examined:
        dataset_json = about(unlike.pop("channels", ("MRI",)), unlike.pop("labels", None))
        (tmp_path / "dataset.json").write_text(json.dumps(dataset_json))
        wishes = Wishes(patch_size=unlike.pop("patch_size", None))
        assert not unlike
        plans = plans or plans_of()
        (configuration,) = plans["configurations"]
        nothing = Pretrained(Path(), {}, {}, {}, configuration, "")
        model = Model(Path("MODEL"), "", "", plans, about(), configuration, "", nothing)
        target = Seen(tmp_path, tmp_path)
        # Where a cached property keeps what it has made.
        vars(target).update(looks=list(looks), cases=[one.case for one in looks])
        request = Request(dataset="200", model=model.source, wishes=wishes, processes=1)
        return Examined(model, plans, target, request=request)

    return make


@pytest.fixture
def ct() -> dict[str, Any]:
    """Plans of a model for the liver."""
    plans = plans_of(scheme="CTNormalization")
    liver = {"mean": 100.0, "std": 40.0, "min": -500.0, "percentile_00_5": -17.0, "percentile_99_5": 201.0}
    return plans | {"foreground_intensity_properties_per_channel": {"0": liver}}


@pytest.fixture
def foreground() -> Callable[[float, float], tuple[Any, ...]]:
    """A sample of one channel's intensities under a label."""

    def sample(mean: float, std: float) -> tuple[Any, ...]:
        return (np.random.default_rng(0).normal(mean, std, 2000).astype(np.float32),)

    return sample
