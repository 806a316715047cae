"""The fingerprint: nnU-Net's where every case has a label, and one at all where none has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from small_models import about, write_raw

from nnunet_slpt.datasets import channel_count, read_cases, read_dataset_json
from nnunet_slpt.datasets.fingerprint import extract_fingerprint, knows_intensities
from nnunet_slpt.datasets.image_checks import find_reader
from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.errors import DatasetError

NAME = "Dataset200_Target"


class Raw:
    """A raw dataset of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "raw" / NAME
        self.preprocessed = folder / "preprocessed" / NAME

    def write(self, channels: tuple[str, ...] = ("MRI",), **raw: Any) -> None:
        write_raw(self.folder, about(channels), **raw)

    def fingerprint(self) -> dict[str, Any]:
        cases, dataset_json = read_cases(self.folder, hide_labels=False), read_dataset_json(self.folder)
        reader = find_reader(cases, dataset_json)
        return extract_fingerprint(cases, reader, channel_count(dataset_json), Workers(1))


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raw:
    # nnU-Net's 100 million take seconds, however small the images are.
    monkeypatch.setattr("nnunet_slpt.datasets.fingerprint.VOXELS_SAMPLED", 1e4)
    for name in ("raw", "preprocessed", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    return Raw(tmp_path)


def test_it_is_nnunets_where_all_are_labelled(raw: Raw) -> None:
    raw.write(("T1", "T2"), spacing=(1.0, 1.5, 3.0))
    extractor = DatasetFingerprintExtractor(200, 1)
    extractor.show_progress_bar = False
    extractor.num_foreground_voxels_for_intensitystats = 1e4
    extractor.run()
    there = json.loads((raw.preprocessed / "dataset_fingerprint.json").read_text())
    assert json.loads(json.dumps(raw.fingerprint())) == there


def test_every_image_counts_and_intensities_come_from_labelled_cases(raw: Raw) -> None:
    raw.write(cases=4, labelled=4)
    whole = raw.fingerprint()
    for case in (1, 2, 3):
        (raw.folder / f"labelsTr/case_{case}.nii.gz").unlink()
    half = raw.fingerprint()
    key = "foreground_intensity_properties_per_channel"
    assert {**half, key: None} == {**whole, key: None}
    assert half[key].keys() == whole[key].keys()
    assert half[key] != whole[key]


def test_without_any_label_there_are_no_intensities(raw: Raw) -> None:
    raw.write(labelled=0)
    found = raw.fingerprint()
    assert len(found["spacings"]) == len(found["shapes_after_crop"]) == 4
    assert not knows_intensities(found)


def test_labels_without_foreground_give_none(raw: Raw) -> None:
    raw.write(cases=2, labelled=1)
    label = raw.folder / "labelsTr/case_0.nii.gz"
    empty = SimpleITK.ReadImage(str(label)) * 0
    SimpleITK.WriteImage(empty, str(label))
    assert not knows_intensities(raw.fingerprint())


def test_a_label_of_the_wrong_size_names_its_case(raw: Raw) -> None:
    raw.write()
    label = raw.folder / "labelsTr/case_2.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones((4, 4, 4), np.uint8)), str(label))
    with pytest.raises(
        DatasetError, match=r"case_2: .*labelsTr/case_2\.nii\.gz.*with the size of its images"
    ):
        raw.fingerprint()


def test_a_broken_image_names_its_case(raw: Raw) -> None:
    raw.write(labelled=0)
    image = raw.folder / "imagesTr/case_3_0000.nii.gz"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(DatasetError, match="case_3: "):
        raw.fingerprint()
