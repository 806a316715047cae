"""What preprocessing/without_label.py assumes of nnU-Net: its loader and augmentation take such a case."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from preprocessor_plans import CONFIGURATION, PLANS

from nnunet_slpt.datasets import NOT_ANNOTATED
from nnunet_slpt.preprocessing.without_label import without_label

KINDS: dict[str, dict[str, Any]] = {
    "labels": {"labels": {"background": 0, "organ": 1}},
    "ignore": {"labels": {"background": 0, "organ": 1, "ignore": 2}},
    "regions": {"labels": {"background": 0, "all": [1, 2], "core": [2]}, "regions_class_order": [1, 2]},
    "regions_ignore": {
        "labels": {"background": 0, "all": [1, 2], "core": [2], "ignore": 3},
        "regions_class_order": [1, 2],
    },
}
MASKED = {**CONFIGURATION, "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [True]}


@pytest.fixture(params=list(KINDS))
def about(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**KINDS[request.param], "file_ending": ".nii.gz", "channel_names": {"0": "MRI"}}


@pytest.fixture
def folder(tmp_path: Path, about: dict[str, Any]) -> Path:
    """One case with air around it, preprocessed without a label."""
    image = np.zeros((6, 16, 16), np.float32)
    image[:, 2:14, 4:12] = np.random.default_rng(0).normal(5, 1, (6, 12, 8))
    image[:3, 2:8, 4:8] = 0
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(tmp_path / "case_0000.nii.gz"))
    (tmp_path / "made").mkdir()
    without_label(DefaultPreprocessor)(verbose=False).run_case_save(
        str(tmp_path / "made" / "case"),
        [str(tmp_path / "case_0000.nii.gz")],
        None,
        PlansManager(PLANS),
        ConfigurationManager(MASKED),
        about,
    )
    return tmp_path / "made"


def loader(folder: Path, about: dict[str, Any], **options: Any) -> nnUNetDataLoader:
    labels = PlansManager(PLANS).get_label_manager(about)
    return nnUNetDataLoader(
        nnUNetDatasetBlosc2(str(folder)),
        2,
        [4, 4, 4],
        [4, 4, 4],
        labels,
        sampling_probabilities=None,
        **options,
    )


def test_the_same_places_are_noted_as_of_an_empty_label(folder: Path, about: dict[str, Any]) -> None:
    _, seg, _, properties = nnUNetDatasetBlosc2(str(folder)).load_case("case")
    image = np.ones((1, 4, 4, 4), np.float32)
    noted = DefaultPreprocessor(verbose=False).run_case_npy(
        image,
        np.zeros((1, 4, 4, 4)),
        {"spacing": [1.0, 1.0, 1.0]},
        PlansManager(PLANS),
        ConfigurationManager(MASKED),
        about,
    )[2]
    assert properties["class_locations"].keys() == noted["class_locations"].keys()
    assert not any(len(voxels) for voxels in properties["class_locations"].values())
    assert set(np.unique(seg[:])) == {-1, NOT_ANNOTATED}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_loader_draws_patches_at_random(folder: Path, about: dict[str, Any], share: float) -> None:
    drawn = loader(folder, about, oversample_foreground_percent=share)
    with warnings.catch_warnings():
        # Of an ignore label's loader; the pretraining trainer silences it by these words.
        warnings.filterwarnings("ignore", "Warning! No annotated pixels in image!")
        batches = [drawn.generate_train_batch() for _ in range(10)]
    assert all((batch["target"] == NOT_ANNOTATED).flatten(1).any(1).all() for batch in batches)
    assert len({batch["data"].numpy().tobytes() for batch in batches}) > 1


def test_augmentation_keeps_the_image_and_the_mark(folder: Path) -> None:
    """MaskImageTransform blanks where the segmentation is negative: NOT_ANNOTATED must not be."""
    data, seg, _, _ = nnUNetDatasetBlosc2(str(folder)).load_case("case")
    transforms = nnUNetTrainer.get_training_transforms(
        np.array([6, 10, 8]), (-0.5, 0.5), None, (0, 1, 2), False, use_mask_for_norm=[True]
    )
    torch.manual_seed(0)
    for _ in range(20):
        made = transforms(
            image=torch.from_numpy(data[:]), segmentation=torch.from_numpy(seg[:]).to(torch.int16)
        )
        marked = made["segmentation"] == NOT_ANNOTATED
        assert set(made["segmentation"].unique().tolist()) <= {0, NOT_ANNOTATED}
        assert (made["image"][marked] != 0).float().mean() > 0.9
        assert (made["image"][~marked] == 0).all()


def test_the_stock_loss_on_labels_stops_at_it() -> None:
    loss = DC_and_CE_loss({"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}, {})
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        loss(torch.zeros(1, 2, 4, 4, 4), torch.full((1, 1, 4, 4, 4), NOT_ANNOTATED))
