"""What was checked is checked again if a file changes, and only then."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from nnunet_slpt.datasets.cases import Case
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
