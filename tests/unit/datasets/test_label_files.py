"""Labels written by each of nnU-Net's writers lie where the image lies."""

import json

import numpy as np
import pytest
import SimpleITK
import tifffile
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
from nnunetv2.imageio.nibabel_reader_writer import NibabelIO, NibabelIOWithReorient
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO, SimpleITKIOWithReorient
from nnunetv2.imageio.tif_reader_writer import Tiff3DIO
from skimage import io

from nnunet_slpt.datasets.label_files import label_files, write_label_files
from nnunet_slpt.errors import DatasetError

SHAPE = (4, 5, 6)
TURNED = (0, 1, 0, -1, 0, 0, 0, 0, -1)
INSIDE = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint16)


def an_image(file):
    volume = SimpleITK.GetImageFromArray(np.random.default_rng(1).normal(size=SHAPE).astype(np.float32))
    volume.SetSpacing((0.5, 1.5, 3.0))
    volume.SetOrigin((-10.0, 20.0, 30.0))
    volume.SetDirection(TURNED)
    SimpleITK.WriteImage(volume, str(file))
    return file


@pytest.mark.parametrize("reader", [SimpleITKIO, SimpleITKIOWithReorient, NibabelIO, NibabelIOWithReorient])
def test_on_the_image_also_where_the_reader_turns_it(tmp_path, reader):
    image = an_image(tmp_path / "a_0000.nii.gz")
    seen, properties = reader().read_images([str(image)])
    drawn = np.random.default_rng(2).integers(0, 3, seen.shape[1:]).astype(np.uint16)
    write_label_files(label_files(drawn, properties, reader(), "a.nii.gz"), tmp_path / "new")
    label, there = (SimpleITK.ReadImage(str(file)) for file in (tmp_path / "new" / "a.nii.gz", image))
    assert label.GetPixelID() == SimpleITK.sitkUInt8
    assert label.GetSize() == there.GetSize()
    for what in ("Spacing", "Origin", "Direction"):
        np.testing.assert_allclose(getattr(label, f"Get{what}")(), getattr(there, f"Get{what}")(), atol=1e-5)
    np.testing.assert_array_equal(reader().read_seg(str(tmp_path / "new" / "a.nii.gz"))[0][0], drawn)


def test_a_picture_and_a_tiff_with_its_spacing(tmp_path):
    picture, stack = tmp_path / "a_0000.png", tmp_path / "b_0000.tif"
    io.imsave(picture, np.full((5, 6, 3), 7, np.uint8), check_contrast=False)
    slices = np.ones((7, 5, 6), np.uint8)  # four would be taken for colours
    tifffile.imwrite(stack, slices, photometric="minisblack")
    (tmp_path / "b.json").write_text(json.dumps({"spacing": [3, 1, 1]}))
    _, properties = NaturalImage2DIO().read_images([str(picture)])
    assert list(label_files(INSIDE[:1], properties, NaturalImage2DIO(), "a.png")) == ["a.png"]
    _, properties = Tiff3DIO().read_images([str(stack)])
    assert list(label_files(slices, properties, Tiff3DIO(), "b.tif")) == ["b.json", "b.tif"]


def test_values_that_the_writer_loses_are_refused(tmp_path):
    _, properties = SimpleITKIOWithReorient().read_images([str(an_image(tmp_path / "a_0000.nii.gz"))])
    with pytest.raises(DatasetError, match="SimpleITKIOWithReorient"):
        label_files(INSIDE + 300, properties, SimpleITKIOWithReorient(), "a.nii.gz")
