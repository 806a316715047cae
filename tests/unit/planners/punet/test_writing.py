"""Files that are written for pretraining, and what is kept of old ones."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from nnunet_slpt.errors import PlanningError
from nnunet_slpt.planners.punet import PretrainingRequest, draft_pretraining, write_pretraining

WRITTEN = {
    "nnUNetPUNetPlans.json",
    "nnUNetPUNetPlans_report.json",
    "dataset.json",
    "dataset_fingerprint.json",
}


def planned(**wanted: Any) -> dict[str, Any]:
    wanted = {"dataset": "200", "processes": 1, "features": (4, 8), **wanted}
    draft = draft_pretraining(PretrainingRequest(**wanted))
    write_pretraining(draft)
    return draft.plans


def test_everything_that_preprocessing_and_training_read(place: Any) -> None:
    place.dataset(labelled=0)
    before = os.environ["nnUNet_preprocessed"]
    plans = planned()
    assert place.files() == WRITTEN
    assert json.loads((place.preprocessed / "nnUNetPUNetPlans.json").read_text()) == plans
    assert plans["dataset_name"] == "Dataset200_Target"
    assert os.environ["nnUNet_preprocessed"] == before


def test_plans_that_are_there_are_refused_and_stay(place: Any) -> None:
    place.dataset()
    planned()
    before = (place.preprocessed / "nnUNetPUNetPlans.json").read_bytes()
    with pytest.raises(PlanningError, match="plans of this name already"):
        planned(epochs=3)
    assert (place.preprocessed / "nnUNetPUNetPlans.json").read_bytes() == before


def test_overwriting_keeps_the_old_plans(place: Any) -> None:
    place.dataset()
    old = planned()
    assert planned(epochs=3, overwrite=True)["slpt"]["epochs"] == 3
    assert json.loads((place.preprocessed / "before_nnUNetPUNetPlans.json").read_text()) == old


def test_plans_that_appear_meanwhile_are_not_replaced(place: Any) -> None:
    place.dataset()
    draft = draft_pretraining(PretrainingRequest(dataset="200", processes=1))
    planned()
    with pytest.raises(PlanningError, match="already"):
        write_pretraining(draft)
