"""The numbers by which nnU-Net's planners choose a patch, on which our estimate of GPU memory stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    nnUNetPlannerResEncM,
)

from nnunet_slpt.doctor import memory
from nnunet_slpt.doctor.patches import SHORTEST_EDGE


@pytest.mark.parametrize(
    ("planner", "network"),
    [(ExperimentPlanner, "PlainConvUNet"), (nnUNetPlannerResEncM, "ResidualEncoderUNet")],
)
def test_the_reference_of_nnunets_planners(
    planner: Any, network: str, nnunet_folders: Path, dataset_json: dict[str, Any]
) -> None:
    raw, preprocessed = (nnunet_folders / name / "Dataset999_Tiny" for name in ("raw", "preprocessed"))
    (raw / "imagesTr").mkdir(parents=True)
    (raw / "dataset.json").write_text(json.dumps(dataset_json))
    (preprocessed / "dataset_fingerprint.json").write_text("{}")
    made = planner("Dataset999_Tiny")
    assert made.UNet_class.__name__ == network
    assert memory.NUMBERS[network] == {2: made.UNet_reference_val_2d, 3: made.UNet_reference_val_3d}
    assert {
        2: made.UNet_reference_val_corresp_bs_2d,
        3: made.UNet_reference_val_corresp_bs_3d,
    } == memory.BATCH
    assert made.UNet_reference_val_corresp_GB == memory.GIGABYTES
    assert made.UNet_featuremap_min_edge_length == SHORTEST_EDGE
