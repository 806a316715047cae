"""The fingerprint: nnU-Net's where every case has a label, and one at all where none has."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import SimpleITK
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor

from nnunet_slpt.errors import DatasetError
from nnunet_slpt.planners.fingerprint import extract_fingerprint, knows_intensities
from nnunet_slpt.planners.target import Target


def fingerprint_of(channels: int = 1) -> dict[str, Any]:
    target = Target.of("200")
    return extract_fingerprint(target.cases, target.own_reader, channels, processes=1)


def test_it_is_nnunets_where_all_are_labelled(place: Any) -> None:
    place.dataset(("T1", "T2"), spacing=(1.0, 1.5, 3.0))
    extractor = DatasetFingerprintExtractor(200, 1)
    extractor.show_progress_bar = False
    extractor.num_foreground_voxels_for_intensitystats = 1e4
    extractor.run()
    there = json.loads((place.preprocessed / "dataset_fingerprint.json").read_text())
    assert json.loads(json.dumps(fingerprint_of(channels=2))) == there


def test_every_image_counts_and_intensities_come_from_labelled_cases(place: Any) -> None:
    place.dataset(cases=4, labelled=4)
    whole = fingerprint_of()
    for case in (1, 2, 3):
        (place.folder / f"raw/Dataset200_Target/labelsTr/case_{case}.nii.gz").unlink()
    half = fingerprint_of()
    key = "foreground_intensity_properties_per_channel"
    assert {**half, key: None} == {**whole, key: None}
    assert half[key].keys() == whole[key].keys()
    assert half[key] != whole[key]


def test_without_any_label_there_are_no_intensities(place: Any) -> None:
    place.dataset(labelled=0)
    found = fingerprint_of()
    assert len(found["spacings"]) == len(found["shapes_after_crop"]) == 4
    assert not knows_intensities(found)


def test_labels_without_foreground_give_none(place: Any) -> None:
    place.dataset(cases=2, labelled=1)
    label = place.folder / "raw/Dataset200_Target/labelsTr/case_0.nii.gz"
    empty = SimpleITK.ReadImage(str(label)) * 0
    SimpleITK.WriteImage(empty, str(label))
    assert not knows_intensities(fingerprint_of())


def test_a_label_of_the_wrong_size_names_its_case(place: Any) -> None:
    place.dataset()
    label = place.folder / "raw/Dataset200_Target/labelsTr/case_2.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ones((4, 4, 4), np.uint8)), str(label))
    with pytest.raises(
        DatasetError, match=r"case_2: .*labelsTr/case_2\.nii\.gz.*with the size of its images"
    ):
        fingerprint_of()


def test_a_broken_image_names_its_case(place: Any) -> None:
    place.dataset(labelled=0)
    image = place.folder / "raw/Dataset200_Target/imagesTr/case_3_0000.nii.gz"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(DatasetError, match="case_3: "):
        fingerprint_of()
