"""What was checked is checked again if a file changes, and only then; a case that lacks one is left out."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.selection import image_keys
from nnunet_slpt.selection.image_keys import usable_images
from nnunet_slpt.selection.request import Request

ABOUT = {"channel_names": {"0": "EM"}, "labels": {"background": 0}, "file_ending": ".tif"}


@pytest.mark.parametrize("changed", ["a_0000.tif", "a.json"])
def test_a_tiff_and_its_spacing(tmp_path: Path, changed: str) -> None:
    image, spacing = tmp_path / "a_0000.tif", tmp_path / "a.json"
    voxels = np.random.default_rng(0).uniform(size=(7, 5, 6)).astype(np.float32)
    tifffile.imwrite(image, voxels)
    spacing.write_text(json.dumps({"spacing": [1, 1, 1]}))
    case = Case("a", (image,), tmp_path / "labels" / "a.tif", labelled=False)
    request = Request(dataset="7", budget="1", preprocessing=1)

    def key() -> str:
        keys, _ = usable_images([case], ABOUT, tmp_path / "seen", request)
        return keys["a"]

    before = key()
    assert key() == before
    if changed == image.name:
        tifffile.imwrite(image, voxels + 1)
    else:
        spacing.write_text(json.dumps({"spacing": [5, 1, 1]}))
    assert key() != before


def test_a_case_without_all_channels_is_left_out_like_an_unreadable_one(tmp_path: Path) -> None:
    image = tmp_path / "a_0000.tif"
    tifffile.imwrite(image, np.random.default_rng(0).uniform(size=(7, 5, 6)).astype(np.float32))
    (tmp_path / "b_0000.tif").write_bytes(b"no image")
    cases = [
        Case("a", (image,), tmp_path / "a.tif", labelled=False),
        Case("b", (tmp_path / "b_0000.tif",), tmp_path / "b.tif", labelled=False),
        Case("c", (image, tmp_path / "c_0001.tif"), tmp_path / "c.tif", False, ("c_0001.tif",)),
    ]
    skip = Request(dataset="7", budget="1", preprocessing=1, skip_unreadable=True)
    keys, skipped = usable_images(cases, ABOUT, tmp_path / "seen", skip)
    assert ({*keys}, skipped) == ({"a"}, {"b", "c"})
    refuse = Request(dataset="7", budget="1", preprocessing=1)
    with pytest.raises(DatasetError, match=r"c: missing image files: c_0001\.tif"):
        usable_images(cases, ABOUT, tmp_path / "seen", refuse)


def test_an_image_that_cannot_be_read_any_more_is_looked_at_again(tmp_path: Path, monkeypatch) -> None:
    image = tmp_path / "a_0000.tif"
    tifffile.imwrite(image, np.random.default_rng(0).uniform(size=(7, 5, 6)).astype(np.float32))
    case = Case("a", (image,), tmp_path / "a.tif", labelled=False)
    request = Request(dataset="7", budget="1", preprocessing=1, skip_unreadable=True)
    assert usable_images([case], ABOUT, tmp_path / "seen", request)[1] == set()
    monkeypatch.setattr(image_keys.os, "access", lambda file, mode: False)
    monkeypatch.setattr(image_keys, "check_images", lambda *_: {"a": "Permission denied"})
    assert usable_images([case], ABOUT, tmp_path / "seen", request)[1] == {"a"}
