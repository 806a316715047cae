"""A dataset as its files are now, each read once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_models import about, write_raw

from nnunet_slpt.doctor import examined
from nnunet_slpt.doctor.examined import Seen
from nnunet_slpt.doctor.looks import look_at


@pytest.fixture
def seen(folders: Path) -> Seen:
    write_raw(folders / "raw/Dataset200_Target", about(), cases=3)
    return Seen.of("200")


def test_every_case_is_looked_at_once(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        examined, "look_at", lambda case, **of: (calls.append(case.name), look_at(case, **of))[1]
    )
    assert seen.shapes.shape == seen.spacings_mm.shape == (3, 3)
    assert len(seen.usable) == 3
    assert calls == ["case_0", "case_1", "case_2"]


def test_unusable_images_are_left_out(seen: Seen) -> None:
    (seen.raw / "imagesTr/case_1_0000.nii.gz").write_bytes(b"")
    assert [look.case.name for look in seen.usable] == ["case_0", "case_2"]
    assert seen.shapes.tolist() == [[16, 18, 20]] * 2


def test_a_fingerprint_of_earlier_files_does_not_count(seen: Seen) -> None:
    seen.preprocessed.mkdir(parents=True)
    old = {"spacings": [[9, 9, 9]], "shapes_after_crop": [[9, 9, 9]]}
    (seen.preprocessed / "dataset_fingerprint.json").write_text(json.dumps(old))
    assert seen.spacings_mm.tolist() == [[1, 1, 1]] * 3
