"""Tiny images on disk, written as the formats' own libraries do."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import tifffile
from skimage import io

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.datasets.image_checks import check_one, find_reader

FLAT = {".png", ".bmp"}


def description(ending=".nii.gz", channels=1, **more):
    names = {str(number): f"scan {number}" for number in range(channels)}
    return {"channel_names": names, "labels": {"background": 0}, "file_ending": ending, **more}


class Scans:
    """Writes images of random voxels into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def voxels(self, seed=0, shape=(7, 5, 6)):
        # Not 3 or 4 slices: skimage would take them for colours.
        return np.random.default_rng(seed).integers(1, 200, shape).astype(np.int16)

    def write(self, name, voxels, compressed=True, **geometry):
        """Geometry in SimpleITK's order: spacing, origin, direction."""
        file = self.folder / name
        if file.suffix in FLAT:
            io.imsave(file, voxels[0].astype(np.uint8), check_contrast=False)
        elif file.suffix in {".tif", ".tiff"}:
            tifffile.imwrite(file, voxels, photometric="minisblack")
            (self.folder / f"{file.stem[:-5]}.json").write_text(json.dumps({"spacing": [1, 1, 1]}))
        else:
            image = SimpleITK.GetImageFromArray(voxels)
            for what, values in geometry.items():
                getattr(image, f"Set{what.capitalize()}")(values)
            SimpleITK.WriteImage(image, str(file), compressed)
        return file

    def case(self, name="a", ending=".nii.gz", channels=1, seed=0):
        files = [f"{name}_{channel:04d}{ending}" for channel in range(channels)]
        images = [self.write(file, self.voxels(seed + number)) for number, file in enumerate(files)]
        return self.of(images, name)

    def of(self, images, name="a"):
        """The label does not exist: nobody needs it."""
        return Case(name, tuple(images), self.folder / "absent" / f"{name}.nii.gz", False)

    def problem(self, case, ending=".nii.gz", channels=1, **more):
        dataset_json = description(ending, channels, **more)
        return check_one(case, find_reader([case], dataset_json), channels)


@pytest.fixture
def scans(tmp_path):
    return Scans(tmp_path)


@pytest.fixture
def describe():
    return description
