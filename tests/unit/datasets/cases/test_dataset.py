"""Finding a dataset, and its dataset.json."""

import json
import re

import pytest

from nnunet_slpt.datasets import channel_count, channel_names, dataset_folder, read_cases, read_dataset_json
from nnunet_slpt.errors import DatasetError


@pytest.fixture
def raw(tmp_path, monkeypatch):
    for name in ("nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    for name in ("Dataset004_Hippocampus", "Dataset027_Heart", "Dataset111_Liver"):
        (tmp_path / "raw" / name).mkdir(parents=True)
    return tmp_path / "raw"


@pytest.mark.parametrize("dataset", ["Dataset004_Hippocampus", "4", "004"])
def test_a_dataset_has_a_name_and_a_number(raw, dataset):
    assert dataset_folder(dataset) == raw / "Dataset004_Hippocampus"


@pytest.mark.parametrize(
    "dataset", ["5", "Dataset004", "Dataset004_Heart", "Hippocampus", "", "-4", "4.0", ".."]
)
def test_an_unknown_dataset_comes_with_the_known_ones(raw, dataset):
    known = "known: Dataset004_Hippocampus, Dataset027_Heart, Dataset111_Liver"
    with pytest.raises(DatasetError, match=f"unknown dataset '{re.escape(dataset)}'; {known}"):
        dataset_folder(dataset)


def test_where_there_is_no_dataset_none_is_known(raw, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "empty"))
    with pytest.raises(DatasetError, match="known: none"):
        dataset_folder("Dataset004_Hippocampus")


def test_a_dataset_that_is_preprocessed_but_not_there_raw_is_unknown(raw, tmp_path):
    (tmp_path / "nnUNet_preprocessed" / "Dataset005_Prostate").mkdir(parents=True)
    with pytest.raises(DatasetError, match="unknown dataset '5'"):
        dataset_folder("5")


def test_a_number_that_two_datasets_have_is_refused(raw, tmp_path):
    (tmp_path / "nnUNet_results" / "Dataset004_Heart").mkdir(parents=True)
    with pytest.raises(
        DatasetError, match=r"2 datasets have the number 4 .*Dataset004_Heart, Dataset004_Hippo"
    ):
        dataset_folder("4")
    assert dataset_folder("Dataset004_Hippocampus").is_dir()


@pytest.mark.parametrize("value", [None, "", "nowhere"])
def test_nnunet_raw_has_to_lead_somewhere(raw, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("nnUNet_raw")
    else:
        monkeypatch.setenv("nnUNet_raw", value)
    with pytest.raises(DatasetError, match=f"nnUNet_raw is {value or 'not set'}, .*export nnUNet_raw"):
        dataset_folder("4")


def test_old_files_call_the_channels_modality(folder):
    content = read_dataset_json(folder)
    content["modality"] = {"0": "CT", "1": "PET"}
    del content["channel_names"]
    (folder / "dataset.json").write_text(json.dumps(content))
    assert channel_names(read_dataset_json(folder)) == ["CT", "PET"]
    assert channel_count(read_dataset_json(folder)) == 2


def test_a_missing_dataset_json_is_refused(tiny, folder):
    (folder / "dataset.json").unlink()
    assert re.match("There is no .*dataset.json, expected .*channel_names", tiny.refused())


@pytest.mark.parametrize("text", ["", "{", '{"labels": ', "\ufeff{}"])
def test_an_unreadable_dataset_json_is_refused(tiny, folder, text):
    (folder / "dataset.json").write_text(text, encoding="utf-8")
    assert "dataset.json cannot be read, expected JSON" in tiny.refused()


def test_a_dataset_json_in_another_encoding_is_refused(tiny, folder):
    (folder / "dataset.json").write_bytes('{"labels": "ä"}'.encode("latin-1"))
    assert "dataset.json cannot be read, expected JSON" in tiny.refused()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("channel_names", [None, {}, ["CT"], "CT"]),
        ("labels", [None, ["background"]]),
        ("file_ending", [None, "", "."]),
    ],
)
def test_a_key_that_is_missing_or_of_another_kind_is_named(tiny, key, values):
    for value in values:
        tiny.describe(**{key: value})
        assert f"dataset.json lacks {key}, or" in tiny.refused()


@pytest.mark.parametrize("content", [[], 3, {}])
def test_all_missing_keys_are_named(tiny, folder, content):
    (folder / "dataset.json").write_text(json.dumps(content))
    assert "lacks channel_names, labels, file_ending" in tiny.refused()


def test_an_ending_that_nnunet_cannot_read_comes_with_those_it_can(tiny):
    tiny.describe(ending=".jpg")
    assert "unknown file_ending '.jpg'; known: .bmp, .gipl, .mha, .nii, .nii.gz" in tiny.refused()


def test_with_a_reader_of_its_own_a_dataset_has_any_ending(tiny, folder):
    for file in (folder / "imagesTr").iterdir():
        file.rename(file.with_name(file.name.replace(".nii.gz", ".raw")))
    tiny.describe(ending=".raw", overwrite_image_reader_writer="RawIO")
    assert [case.name for case in read_cases(folder, hide_labels=True)] == ["a", "b"]
