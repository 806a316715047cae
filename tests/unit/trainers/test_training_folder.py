"""Folders that nnU-Net would stumble over are refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnunet_slpt.errors import DatasetError
from nnunet_slpt.trainers.training_folder import check_folder, check_preprocessed


@pytest.mark.parametrize(("fold", "cases", "has_file"), [("all", 2, False), (0, 5, False), (0, 2, True)])
def test_what_nnunet_can_split_passes(tmp_path: Path, fold: int | str, cases: int, has_file: bool) -> None:
    (tmp_path / "dataset_fingerprint.json").touch()
    if has_file:
        (tmp_path / "splits_final.json").write_text('[{"train": ["a"], "val": ["b"]}]')
    check_folder(fold, tmp_path, list("abcdefg")[:cases])


def test_a_fold_beyond_those_of_a_campaign_is_refused(tmp_path: Path) -> None:
    """nnU-Net draws it from all that is preprocessed; without a campaign that is the user's business."""
    (tmp_path / "dataset_fingerprint.json").touch()
    (tmp_path / "splits_final.json").write_text('[{"train": ["a", "b"], "val": ["c"]}]')
    check_folder(1, tmp_path, list("abcd"))
    (tmp_path / "slpt_selection").mkdir()
    (tmp_path / "slpt_selection/round_00.json").write_text('{"mode": "unlabelled"}')
    check_folder(0, tmp_path, list("abcd"))
    check_folder("all", tmp_path, list("abcd"))
    with pytest.raises(DatasetError, match=r"1 fold\(s\), 0 is the last one: got fold 1.*random part"):
        check_folder(1, tmp_path, list("abcd"))
    (tmp_path / "splits_final.json").unlink()
    check_folder("all", tmp_path, list("abcdef"))
    with pytest.raises(DatasetError, match=r"splits_final\.json is missing.*Put it back, or choose again"):
        check_folder(0, tmp_path, list("abcdef"))


def test_too_few_cases_to_split_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_fingerprint.json").touch()
    with pytest.raises(DatasetError, match=r"4 preprocessed cases.*5 folds.*splits_final\.json"):
        check_folder(0, tmp_path, list("abcd"))


@pytest.mark.parametrize("fold", ["all", 0])
def test_one_case_is_too_few_for_any_fold(tmp_path: Path, fold: int | str) -> None:
    (tmp_path / "dataset_fingerprint.json").touch()
    with pytest.raises(DatasetError, match=r"1 preprocessed case.*expected 2.*Label more") as caught:
        check_folder(fold, tmp_path, ["a"])
    assert "'all'" not in str(caught.value)


def test_a_folder_without_a_fingerprint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no .*dataset_fingerprint\.json.*nnUNetv2_extract_fingerprint"):
        check_folder("all", tmp_path, list("abcd"))


@pytest.mark.parametrize(
    "content", ['[{"train"', '{"train": [], "val": []}', '[["a"], ["b"]]', '[{"train": []}]']
)
def test_what_is_no_split_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_fingerprint.json").touch()
    (tmp_path / "splits_final.json").write_text(content)
    check_folder("all", tmp_path, list("abcd"))
    with pytest.raises(DatasetError, match=r"splits_final\.json is no split file.*\"train\".*move it away"):
        check_folder(0, tmp_path, list("abcd"))


def test_what_is_not_preprocessed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "Dataset001_A" / "P_3d_fullres"
    with pytest.raises(DatasetError, match=r"no preprocessed cases.*nnunet_slpt_preprocess -d Dataset001_A"):
        check_preprocessed(folder)
    folder.mkdir(parents=True)
    with pytest.raises(DatasetError, match="no preprocessed cases"):
        check_preprocessed(folder)
    (folder / "a.b2nd").touch()
    check_preprocessed(folder)
