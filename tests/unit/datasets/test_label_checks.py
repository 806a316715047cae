"""What is wrong with a label: where it lies, and what it holds."""

import numpy as np
import PIL.Image
import pytest
import SimpleITK
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

from nnunet_slpt.datasets.geometry import geometry_of
from nnunet_slpt.datasets.label_checks import LabelValues, holds_integers, label_problems, read_label, size_of
from nnunet_slpt.errors import DatasetError

LABELS = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
VALUES = LabelValues.of({"labels": LABELS})
READER = SimpleITKIO()


def write(folder, voxels, name="a.nii.gz", **geometry):
    image = SimpleITK.GetImageFromArray(voxels)
    for what, values in geometry.items():
        getattr(image, f"Set{what.capitalize()}")(values)
    SimpleITK.WriteImage(image, str(folder / name))
    return folder / name


def voxels(*values, kind=np.uint8):
    drawn = np.zeros((4, 5, 6), kind)
    drawn.ravel()[: len(values)] = values
    return drawn


def problems(folder, drawn, allow_empty=False, **geometry):
    """Of a label, beside an image of 4 × 5 × 6 voxels that lies as SimpleITK puts it."""
    image = geometry_of(*READER.read_images([str(write(folder, voxels(9.0), "image.nii.gz"))]))
    label = read_label(write(folder, drawn, **geometry), READER.read_seg)
    return list(label_problems(label, image, VALUES, allow_empty))


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64])
def test_a_label_that_is_right(tmp_path, kind):
    assert problems(tmp_path, voxels(0, 1, 2, 3, kind=kind)) == []


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"spacing": (1, 1, 2)}, "the voxel spacing is 1, 1, 2, expected 1, 1, 1"),
        ({"origin": (0, 0, 0.5)}, "the origin is 0, 0, 0.5, expected 0, 0, 0"),
        (
            {"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)},
            "the direction is -1, 0, 0, 0, -1, 0, 0, 0, 1, expected 1, 0, 0, 0, 1, 0, 0, 0, 1",
        ),
    ],
)
def test_a_label_that_lies_elsewhere(tmp_path, geometry, words):
    assert problems(tmp_path, voxels(1), **geometry) == [
        f"{words}, as its image has. Draw on the image itself, or put the label on its grid with nearest "
        "neighbours (3D Slicer: export with the image as reference volume)."
    ]


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_colour_picture_is_no_label_and_is_told_how_to_become_one(tmp_path, mode):
    file, classes = tmp_path / "a.png", np.array([[0, 1], [2, 1]], np.uint8)
    drawn = PIL.Image.fromarray(classes, "P")
    drawn.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    drawn.convert(mode).save(file)
    with pytest.raises(DatasetError, match=r"1 channel that holds the number of a class.*grey picture"):
        read_label(file, NaturalImage2DIO().read_seg)
    if mode == "P":  # as the message says
        PIL.Image.fromarray(np.array(PIL.Image.open(file))).save(file)
        assert (read_label(file, NaturalImage2DIO().read_seg).voxels == classes).all()


def test_the_slack_of_a_file_format_is_no_problem(tmp_path):
    assert problems(tmp_path, voxels(1), origin=(0, 0, 1e-5), spacing=(1, 1, 1 + 1e-7)) == []


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    lies, broken, unknown = problems(tmp_path, voxels(0.5, 7, 8, kind=np.float32)[:3], spacing=(1, 1, 2))
    assert "the shape is 3, 5, 6, expected 4, 5, 6; the voxel spacing" in lies
    assert "1 voxels hold fractions (0.5), expected 0, 1, 2, 3" in broken
    assert "2 voxels hold unknown values (7, 8)" in unknown


@pytest.mark.parametrize("values", [(), (3, 3)])
def test_a_label_without_foreground(tmp_path, values):
    (problem,) = problems(tmp_path, voxels(*values))
    assert "--allow_empty" in problem
    assert problems(tmp_path, voxels(*values), allow_empty=True) == []


def test_nan_cannot_be_read(tmp_path):
    with pytest.raises(DatasetError, match="NaN"):
        read_label(write(tmp_path, voxels(np.nan, kind=np.float32)), READER.read_seg)


def test_a_colour_picture_is_no_label(tmp_path):
    with pytest.raises(DatasetError, match="expected 1 channel"):
        read_label(write(tmp_path, np.zeros((2, 4, 5, 6), np.uint8)), READER.read_seg)


def test_values_of_regions_and_of_nonsense():
    regions = {"background": 0, "whole": [1, 2], "core": [2]}
    values = LabelValues.of({"labels": regions, "regions_class_order": [1, 2]})
    assert (values.known, values.classes) == ((0, 1, 2), {"whole": (1, 2), "core": (2,)})
    assert (VALUES.known, VALUES.ignore, list(VALUES.classes)) == ((0, 1, 2, 3), 3, ["organ", "lesion"])
    with pytest.raises(DatasetError, match="does not understand"):
        LabelValues.of({"labels": {"organ": 1}})
    with pytest.raises(DatasetError, match=r'does not understand.*needs "regions_class_order".*\[1, 2, 3\]'):
        LabelValues.of({"labels": regions})
    with pytest.raises(DatasetError, match=r"are \[0, 1, 3\], nnU-Net expects 0, 1, 2.*without gaps"):
        LabelValues.of({"labels": {"background": 0, "organ": 1, "lesion": 3}})


def test_headers(tmp_path):
    assert holds_integers(write(tmp_path, voxels(1)))
    assert not holds_integers(write(tmp_path, voxels(1, kind=np.float64)))
    assert size_of(tmp_path / "a.nii.gz") == (6, 5, 4)
    (tmp_path / "b.nii.gz").write_bytes(b"no image")
    assert size_of(tmp_path / "b.nii.gz") == ()
    assert not holds_integers(tmp_path / "b.nii.gz")
