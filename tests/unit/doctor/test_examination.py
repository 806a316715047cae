"""All checks together: their order, one broken thing told once, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_models import about, plans_of, write_model, write_raw

from nnunet_slpt.doctor import examination, examine
from nnunet_slpt.errors import CheckpointError, DatasetError
from nnunet_slpt.planners.comparison import Finding
from nnunet_slpt.planners.draft import Request
from nnunet_slpt.planners.transfer import Wishes

Told = list[tuple[str, str]]  # level and subject


@pytest.fixture
def told(folders: Path) -> Callable[..., Told]:
    """What is said of a dataset and a model, both ordinary but for what is named."""

    def tell(channels: tuple[str, ...] = ("MRI",), change: Any = None, plans: Any = None, **of: Any) -> Told:
        raw = write_raw(folders / "raw/Dataset200_Target", about(channels), cases=5, labelled=5)
        model = write_model(folders / "models", plans_of(), about(), plans)
        if change:
            change(raw, model)
        before = contents(folders)
        found = examine(Request(dataset="200", model=model, processes=1, **of))
        assert contents(folders) == before
        return [(one.level, one.subject) for one in found.findings]

    return tell


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


ALWAYS = [("note", "labels"), ("note", "GPU memory")]  # which classes are known; the estimate


def test_a_pair_that_fits_gets_notes_alone(told: Any) -> None:
    assert told() == ALWAYS


def test_errors_come_first(told: Any) -> None:
    def break_things(raw: Path, _: Path) -> None:
        (raw / "imagesTr/case_0_0000.nii.gz").write_bytes(b"")
        (raw / "labelsTr/case_1.nii.gz").write_bytes(b"")
        (raw / "labelsTr/case_2.nii.gz").unlink()

    assert told(("T1",), change=break_things) == [
        ("error", "images"),
        ("error", "labels"),
        ("warning", "channels"),
        ("note", "labels"),
        ("note", "cases"),
        ("note", "labels"),  # of five cases four have one
        ("note", "GPU memory"),
    ]


def test_files_that_are_not_there_are_told_once(told: Any) -> None:
    found = told(change=lambda raw, _: (raw / "imagesTr/case_0_0000.nii.gz").unlink())
    assert found == [("error", "files"), ("note", "labels")]


def test_without_any_usable_image_the_rest_is_told(told: Any) -> None:
    def empty(raw: Path, _: Path) -> None:
        for file in (raw / "imagesTr").iterdir():
            file.write_bytes(b"")

    assert told(change=empty) == [("error", "images"), ("note", "labels")]


def test_other_channels_are_told_once(told: Any) -> None:
    assert told(("T1", "T2")) == [("error", "channels"), ("note", "labels")]


def test_with_the_option_they_can_be_planned(told: Any) -> None:
    assert told(("T1", "T2"), stem="average") == [("warning", "channels"), *ALWAYS]


def test_a_wrong_patch_is_told_once(told: Any) -> None:
    assert told(wishes=Wishes(patch_size=(15, 16, 16))) == [("error", "plans"), ("note", "labels")]


def test_weights_of_another_network(told: Any) -> None:
    wider = plans_of()
    wider["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 8, 12]
    assert told(plans=wider) == [("error", "plans"), ("note", "labels")]


def test_what_normalisation_lacks(told: Any) -> None:
    plans = plans_of(scheme="CTNormalization") | {"foreground_intensity_properties_per_channel": {}}
    assert ("error", "plans") in told(("CT",), plans=plans)


def test_a_check_that_fails_does_not_take_the_others_with_it(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Any) -> Any:
        raise DatasetError("It is broken.")

    def failed(_: Any) -> Any:
        raise KeyError("spacing")

    def fine(_: Any) -> Any:
        yield Finding("note", "fine", "It is fine.")

    monkeypatch.setattr(examination, "AT_FIRST", (refused, failed, fine))
    assert told()[:3] == [("error", "refused"), ("warning", "failed"), ("note", "fine")]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda raw, model: (raw / "dataset.json").write_text("{"), DatasetError),
        (lambda raw, model: (raw / "dataset.json").unlink(), DatasetError),
        (lambda raw, model: (model / "fold_all/checkpoint_final.pth").write_bytes(b"x"), CheckpointError),
    ],
)
def test_what_cannot_be_examined(told: Any, change: Any, error: Any) -> None:
    with pytest.raises(error):
        told(change=change)
