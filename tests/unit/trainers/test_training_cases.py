"""Cases that cannot be tuned on are refused, with what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from small_models import about, write_raw

from nnunet_slpt.datasets import UNLABELLED
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.trainers import training_cases
from nnunet_slpt.trainers.training_cases import (
    check_cases,
    foreground_frequency,
    hidden_labels,
    labels_left_out,
)


def dataset(locations: dict[str, dict[Any, list[int]]]) -> Any:
    """As nnU-Net's, of which only the noted places of foreground are asked."""
    return SimpleNamespace(
        identifiers=list(locations),
        source_folder="preprocessed",
        load_case=lambda case: (None, None, None, {"class_locations": locations[case]}),
    )


FULL, EMPTY = {1: [5]}, {1: [], 2: []}
VALIDATION = dataset({"v": EMPTY})


def test_one_case_with_foreground_is_enough() -> None:
    check_cases(dataset({"a": EMPTY, "b": FULL}), VALIDATION, ["a", "b", "v"])


@pytest.mark.parametrize(
    ("training", "validation", "words"),
    [
        ({}, VALIDATION, "has 0 training case"),
        ({"a": FULL}, VALIDATION, "has 1 training case"),
        ({"a": FULL, "b": FULL}, dataset({}), "0 validation cases"),
        ({"a": FULL, "gone": FULL}, VALIDATION, "1 cases .* not preprocessed: gone"),
        ({"a": FULL, "b": FULL}, dataset({"gone": FULL}), "not preprocessed: gone"),
        ({"a": EMPTY, "b": EMPTY}, VALIDATION, "all 2 training cases are empty"),
        ({"a": EMPTY, "b": {**EMPTY, (-1, 0, 1): [7]}}, VALIDATION, "all 2 training cases are empty"),
    ],
)
def test_refused(training: dict[str, Any], validation: Any, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        check_cases(dataset(training), validation, ["a", "b", "v"])


def unlabelled(*cases: str) -> Any:
    properties = {"class_locations": EMPTY, UNLABELLED: True}
    return SimpleNamespace(
        identifiers=list(cases),
        source_folder="preprocessed",
        load_case=lambda case: (None, None, None, properties),
    )


def test_a_case_that_has_no_label_yet_is_told_from_one_that_was_not_preprocessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_raw(tmp_path / "Dataset001_A", about(), cases=3, labelled=2)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    fold = dataset({f"case_{number}": FULL for number in range(3)})
    fold.source_folder = f"preprocessed/{raw.name}/nnUNetPlans_3d_fullres"
    with pytest.raises(DatasetError, match=r"2 cases .* 1 have no label yet: case_2\. Label .* fold 'all'"):
        check_cases(fold, VALIDATION, ["case_0", "v"])
    with pytest.raises(DatasetError, match=r"1 cases .* or run nnunet_slpt_preprocess\.$"):
        check_cases(fold, VALIDATION, ["case_0", "case_2", "v"])


@pytest.mark.parametrize(
    ("training", "validation", "words"),
    [
        (dataset({"a": FULL, "b": FULL}), unlabelled("v"), "1 of 3 cases of this fold have no label: v"),
        (unlabelled("a", "b"), VALIDATION, "2 of 3 .*: a, b.*nnUNetTrainerPUNetPretrain.*without it"),
    ],
)
def test_cases_without_a_label_are_refused(training: Any, validation: Any, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        check_cases(training, validation, ["a", "b", "v"])


def test_a_case_that_is_named_twice_is_one_case() -> None:
    twice = dataset({"a": FULL})
    twice.identifiers = ["a", "a"]
    with pytest.raises(DatasetError, match="has 1 training case"):
        check_cases(twice, VALIDATION, ["a", "v"])


def test_a_region_counts_as_foreground() -> None:
    check_cases(dataset({"a": {(1, 2): [7]}, "b": {(1, 2): []}}), VALIDATION, ["a", "b", "v"])


@pytest.mark.parametrize(("ignore", "expected"), [(9, [0, 0.5, 1, 2 / 5]), (None, [0, 0.5, 1, 1])])
def test_what_nobody_annotated_is_neither_foreground_nor_background(
    monkeypatch: pytest.MonkeyPatch, ignore: int | None, expected: list[float]
) -> None:
    """Of four places one is never annotated: it gets the frequency of all."""
    patches = [[0, 1, 9, 9], [0, 0, 2, 9]]

    class Loader:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.patches = iter(patches)

        def generate_train_batch(self) -> dict[str, torch.Tensor]:
            return {"target": torch.tensor(next(self.patches), dtype=torch.int16)[None, None]}

    monkeypatch.setattr(training_cases, "nnUNetDataLoader", Loader)
    labels: Any = SimpleNamespace(has_ignore_label=ignore is not None, ignore_label=ignore)
    found = foreground_frequency(dataset({}), (4,), labels, 0.33, seed=0, patches=2)
    np.testing.assert_allclose(found, expected)


def test_the_meta_prompts_patches_are_drawn_from_the_seed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """nnU-Net's loader draws from numpy's global generator, which is left as it was."""

    class Loader:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def generate_train_batch(self) -> dict[str, torch.Tensor]:
            return {"target": torch.from_numpy(np.random.randint(0, 2, (1, 1, 50)))}

    monkeypatch.setattr(training_cases, "nnUNetDataLoader", Loader)
    labels: Any = SimpleNamespace(has_ignore_label=False, ignore_label=None)

    def drawn(seed: int) -> torch.Tensor:
        return foreground_frequency(dataset({}), (50,), labels, 0.33, seed=seed, patches=3)

    np.random.seed(7)
    first = drawn(0)
    after = np.random.rand()
    assert torch.equal(drawn(0), first)
    assert not torch.equal(drawn(1), first)
    np.random.seed(7)
    assert np.random.rand() == after


def test_labels_that_came_after_preprocessing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_raw(tmp_path / "Dataset001_A", about(), cases=3, labelled=2)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    told = labels_left_out(tmp_path / raw.name, ["case_0"], ".nii.gz")
    assert told is not None
    assert "1 labelled case(s) are not preprocessed" in told
    assert ": case_1. Run nnunet_slpt_preprocess -d Dataset001_A" in told
    assert labels_left_out(tmp_path / raw.name, ["case_0", "case_1"], ".nii.gz") is None
    assert labels_left_out(tmp_path / "Dataset002_NoRawData", ["case_0"], ".nii.gz") is None


def test_labels_that_were_changed_or_withdrawn_after_preprocessing_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_raw(tmp_path / "raw" / "Dataset001_A", about(), cases=3, labelled=3)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    home, names = tmp_path / raw.name, [f"case_{number}" for number in range(3)]
    shutil.copytree(raw / "labelsTr", home / "gt_segmentations")
    labels = sorted((raw / "labelsTr").iterdir())
    labels[0].touch()
    assert labels_left_out(home, names, ".nii.gz") is None
    labels[1].write_bytes(labels[1].read_bytes() + b"drawn again")
    os.utime(labels[1], (0, 0))  # drawn before the preprocessing, and put there after it
    labels[2].unlink()
    told = labels_left_out(home, names, ".nii.gz")
    assert told is not None
    assert "2 labelled case(s) were preprocessed with a label that has been changed or withdrawn" in told
    assert "since: case_1, case_2. Run nnunet_slpt_preprocess" in told


def test_a_case_of_the_split_whose_images_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_raw(tmp_path / "Dataset001_A", about(), cases=2, labelled=2)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    fold = dataset({"case_0": FULL, "case_1": FULL, "withdrawn": FULL})
    fold.source_folder = f"preprocessed/{raw.name}/nnUNetPlans_3d_fullres"
    with pytest.raises(DatasetError, match=r"1 are not in the dataset: withdrawn.*--exclude"):
        check_cases(fold, VALIDATION, ["case_0", "case_1", "v"])


def test_cases_are_missing_for_each_reason_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_raw(tmp_path / "Dataset001_A", about(), cases=3, labelled=2)
    monkeypatch.setenv("nnUNet_raw", str(raw.parent))
    fold = dataset(dict.fromkeys(("case_0", "case_1", "case_2", "withdrawn"), FULL))
    fold.source_folder = f"preprocessed/{raw.name}/nnUNetPlans_3d_fullres"
    with pytest.raises(DatasetError) as refused:
        check_cases(fold, VALIDATION, ["case_0", "v"])
    told = str(refused.value)
    assert "1 are not in the dataset: withdrawn. " in told
    assert "1 have no label yet: case_2. " in told
    assert "1 have a label: run nnunet_slpt_preprocess." in told


def test_fold_all_is_warned_of_where_rounds_hide_labels(tmp_path: Path) -> None:
    assert hidden_labels("all", tmp_path) is None
    (tmp_path / "slpt_selection").mkdir()
    record = tmp_path / "slpt_selection/round_00.json"
    record.write_text('{"mode": "prospective"}')
    assert hidden_labels("all", tmp_path) is None
    record.write_text('{"mode": "hide_labels"}')
    assert "WARNING: fold all trains on every label" in str(hidden_labels("all", tmp_path))
    assert hidden_labels(0, tmp_path) is None
