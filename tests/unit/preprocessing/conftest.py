"""A raw dataset of small images, half of it labelled, with plans for it; and the command on it."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from nnunet_slpt.preprocessing.workflow import preprocess

DATASET = "Dataset077_Half"
LABELLED, UNLABELLED = ("case_1", "case_10", "case_2"), ("case_3",)
RESAMPLING = {
    f"resampling_fn_{what}{kwargs}": {
        "is_seg": what == "seg",
        "order": 1,
        "order_z": 0,
        "force_separate_z": None,
    }
    if kwargs
    else "resample_data_or_seg_to_shape"
    for what in ("data", "seg", "probabilities")
    for kwargs in ("", "_kwargs")
}
CONFIGURATION = {
    "data_identifier": "nnUNetPlans_3d_fullres",
    "preprocessor_name": "DefaultPreprocessor",
    "batch_size": 2,
    "patch_size": [8, 8, 8],
    "spacing": [1.0, 1.0, 1.0],
    "normalization_schemes": ["ZScoreNormalization"],
    "use_mask_for_norm": [False],
    "architecture": {},
    **RESAMPLING,
}


class Desk:
    """nnU-Net's folders with the dataset in them."""

    def __init__(self, folder: Path) -> None:
        self.raw, self.home = folder / "raw" / DATASET, folder / "preprocessed" / DATASET
        self.data = self.home / "nnUNetPlans_3d_fullres"
        self.own = self.home / "slpt_preprocessing"
        self.plans = self.home / "nnUNetPlans.json"
        self.said = []
        for name in ("imagesTr", "labelsTr"):
            (self.raw / name).mkdir(parents=True)
        self.home.mkdir(parents=True)

    def image(self, case, seed, **options):
        voxels = np.random.default_rng(seed).normal(100, 20, (9, 10, 11)).astype(np.float32)
        return self._write(self.raw / "imagesTr" / f"{case}_0000.nii.gz", voxels, **options)

    def label(self, case, size=4, value=1, kind=np.uint8, shape=(9, 10, 11), **options):
        voxels = np.zeros(shape, kind)
        voxels[2 : 2 + size, 2:6, 2:6] = value
        return self._write(self.raw / "labelsTr" / f"{case}.nii.gz", voxels, **options)

    def run(self, plans="nnUNetPlans", **options):
        """Agendas by the name of their configuration."""
        self.said = []
        done = preprocess("77", plans, **{"processes": 1, "say": self.said.append, **options})
        return {agenda.recipe.name: agenda for agenda in done}

    def made(self, **options):
        """Case → why, of the one configuration."""
        return dict(self.run(**options)["3d_fullres"].to_make)

    def change(self, file, **entries):
        file.write_text(json.dumps(json.loads(file.read_text()) | entries))

    def change_configuration(self, name="3d_fullres", **entries):
        configurations = json.loads(self.plans.read_text())["configurations"]
        configurations[name] = configurations.get(name, {}) | entries
        self.change(self.plans, configurations=configurations)

    def state(self):
        """Every file with its content, but for the lock."""
        files = sorted(file for file in self.home.parents[1].rglob("*") if file.is_file())
        return {file: file.read_bytes() for file in files if file.name != ".lock"}

    def _write(self, file, voxels, spacing=(1.0, 1.0, 1.0)):
        image = SimpleITK.GetImageFromArray(voxels)
        image.SetSpacing(spacing)
        SimpleITK.WriteImage(image, str(file))
        return file


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Three labelled cases and one that is not; nothing preprocessed."""
    desk = Desk(tmp_path)
    for name in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    about = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "organ": 1}}
    (desk.raw / "dataset.json").write_text(json.dumps({**about, "numTraining": 4, "file_ending": ".nii.gz"}))
    # Without it nnU-Net's extractor would start processes in every test; the integration test lets it.
    (desk.home / "dataset_fingerprint.json").write_text("{}")
    plans = {
        "plans_name": "nnUNetPlans",
        "dataset_name": DATASET,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {"mean": 100.0, "std": 20.0}},
        "configurations": {"3d_fullres": CONFIGURATION},
    }
    desk.plans.write_text(json.dumps(plans))
    for seed, case in enumerate(LABELLED + UNLABELLED):
        desk.image(case, seed)
    for case in LABELLED:
        desk.label(case)
    return desk
