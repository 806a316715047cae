"""What is wrong with the images of one case."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK
from skimage import io

from nnunet_slpt.datasets.image_checks import check_one, find_reader

ENDINGS = [".nii.gz", ".nii", ".nrrd", ".mha", ".gipl", ".png", ".bmp", ".tif", ".tiff"]
TURNED = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_wrong_with_good_images(scans, ending, channels):
    assert scans.problem(scans.case(ending=ending, channels=channels), ending, channels) is None


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty: 0 bytes"), (b"no image" * 100, "cannot be read (")]
)
def test_an_unreadable_channel_is_named(scans, ending, channel, content, words):
    good, case = scans.case("good", ending, 2), scans.case("a", ending, 2)
    case.images[channel].write_bytes(content)
    reader = find_reader([case, good], {"file_ending": ending})
    assert check_one(case, reader).startswith(f"a_000{channel}{ending}: {words}")


def test_a_missing_file_is_told(scans):
    case = scans.case()
    case.images[0].unlink()
    assert scans.problem(case).startswith("a_0000.nii.gz: cannot be read (FileNotFoundError")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha", ".tif"])
def test_voxels_that_are_no_numbers_are_counted(scans, ending, value):
    voxels = scans.voxels().astype(np.float32)
    voxels[1, 2, 3:5] = value
    case = scans.of([scans.write(f"a_0000{ending}", voxels)])
    assert scans.problem(case, ending) == f"a_0000{ending}: 2 of 210 voxels are NaN or infinite"


def test_numbers_too_large_for_the_network_are_infinite(scans):
    voxels = scans.voxels().astype(np.float64)
    voxels[0, 0, 0] = 1e300
    assert "1 of 210 voxels are NaN or infinite" in scans.problem(
        scans.of([scans.write("a_0000.mha", voxels)])
    )


@pytest.mark.parametrize("value", [0, -1024])
def test_an_image_of_one_value_is_empty(scans, value):
    case = scans.of([scans.write("a_0000.nii.gz", np.full((4, 5, 6), value, np.int16))])
    assert scans.problem(case) == "it is empty: all voxels of a channel have the same value"


def test_a_channel_may_be_empty_beside_another(scans):
    # Missing sequences are often filled with zeros.
    images = [scans.write("a_0000.nii.gz", np.zeros((7, 5, 6))), scans.write("a_0001.nii.gz", scans.voxels())]
    assert scans.problem(scans.of(images), channels=2) is None
    assert scans.problem(scans.of(images[::-1]), channels=2) is None


def test_an_image_without_voxels_is_told(scans):
    file = scans.folder / "a_0000.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((0, 5, 6), np.int16), np.eye(4)), file)
    reader = find_reader([scans.case("good", ".nii")], {"file_ending": ".nii"})
    assert check_one(scans.of([file]), reader) == "a_0000.nii: no voxels, its shape is 1, 6, 5, 0"


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if ending != ".gipl"])
def test_channels_of_another_shape_are_refused(scans, ending):
    images = [
        scans.write(f"a_0000{ending}", scans.voxels()),
        scans.write(f"a_0001{ending}", scans.voxels(shape=(7, 6, 6))),
    ]
    problem = scans.problem(scans.of(images), ending, channels=2)
    depth = 1 if ending in {".png", ".bmp"} else 7
    assert (
        problem
        == f"a_0001{ending}: the shape is {depth}, 6, 6, expected {depth}, 5, 6 as in the first channel"
    )


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        ({"spacing": (1, 1, 2)}, "voxel spacing is 1, 1, 2, expected 1, 1, 1"),
        ({"spacing": (1, 1, 1.001)}, "voxel spacing is 1, 1, 1.001, expected 1, 1, 1"),
        ({"origin": (0, 0, 3)}, "origin is 0, 0, 3, expected 0, 0, 0"),
        (
            {"direction": TURNED},
            "direction is 0, 1, 0, -1, 0, 0, 0, 0, 1, expected 1, 0, 0, 0, 1, 0, 0, 0, 1",
        ),
    ],
)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_channels_that_lie_elsewhere_are_refused(scans, ending, geometry, words):
    images = [
        scans.write(f"a_0000{ending}", scans.voxels()),
        scans.write(f"a_0001{ending}", scans.voxels(), **geometry),
    ]
    problem = scans.problem(scans.of(images), ending, channels=2)
    assert problem == f"a_0001{ending}: the {words} as in the first channel"


@pytest.mark.parametrize("reader", ["NibabelIO", "NibabelIOWithReorient", "SimpleITKIOWithReorient"])
def test_other_readers_tell_where_channels_lie_too(scans, reader):
    images = [
        scans.write("a_0000.nii.gz", scans.voxels()),
        scans.write("a_0001.nii.gz", scans.voxels(), origin=(0, 0, 3)),
    ]
    told = scans.problem(scans.of(images), channels=2, overwrite_image_reader_writer=reader)
    assert "a_0001.nii.gz: the " in told
    assert "origin" in told


def test_rounding_of_origin_and_direction_does_no_harm(scans):
    nearly = (1, 1e-5, 0, -1e-5, 1, 0, 0, 0, 1)
    images = [
        scans.write("a_0000.mha", scans.voxels()),
        scans.write("a_0001.mha", scans.voxels(), origin=(0, 0, 1e-4), direction=nearly),
    ]
    assert scans.problem(scans.of(images), ".mha", channels=2) is None


def test_a_picture_and_a_volume_of_one_slice_are_not_channels_of_one_case(scans):
    flat, slice_ = scans.voxels()[0], scans.voxels()[:1]
    images = [scans.write("a_0000.mha", flat), scans.write("a_0001.mha", slice_)]
    told = scans.problem(scans.of(images), ".mha", channels=2)
    assert told == "a_0001.mha: the voxel spacing is 1, 1, 1, expected 1, 1 as in the first channel"


@pytest.mark.parametrize("spacing", [[1, 0, 1], [1, -1, 1], [1, float("nan"), 1]])
def test_a_spacing_has_to_be_positive(scans, spacing):
    case = scans.case(ending=".tiff")
    (scans.folder / "a.json").write_text(json.dumps({"spacing": spacing}))
    assert "the voxel spacing is 1, " in scans.problem(case, ".tiff")
    assert "expected positive numbers" in scans.problem(case, ".tiff")


@pytest.mark.parametrize("text", ["{", "{}", '{"spacing": [1, 1]}'])
def test_a_broken_file_of_spacings_is_told(scans, text):
    case = scans.case(ending=".tiff")
    reader = find_reader([case], {"file_ending": ".tiff"})
    (scans.folder / "a.json").write_text(text)
    assert check_one(case, reader).startswith("a_0000.tiff: cannot be read (")


# Channels inside of files


def test_a_colour_picture_holds_three_channels(scans):
    file = scans.folder / "a_0000.png"
    colours = np.random.default_rng(0).integers(0, 255, (5, 6, 3)).astype(np.uint8)
    io.imsave(file, colours, check_contrast=False)
    case = scans.of([file])
    assert scans.problem(case, ".png", channels=3) is None
    assert scans.problem(case, ".png", channels=1) == "its 1 file(s) hold 3 channel(s), expected 1"


@pytest.mark.parametrize("channels", [1, 2])
def test_a_volume_with_a_fourth_axis_is_refused_since_nnunet_could_not_write_a_prediction(scans, channels):
    volumes = [SimpleITK.GetImageFromArray(scans.voxels(seed)) for seed in range(channels)]
    file = scans.folder / "a_0000.nrrd"
    SimpleITK.WriteImage(SimpleITK.JoinSeries(volumes), str(file))
    problem = scans.problem(scans.of([file]), ".nrrd", channels=channels)
    assert problem.startswith(f"a_0000.nrrd: it has a fourth axis, of {channels} channel(s)")
    reader = find_reader([scans.of([file])], {"file_ending": ".nrrd"})
    voxels, properties = reader.read_images([str(file)])
    with pytest.raises(AssertionError):
        reader.write_seg(np.zeros(voxels.shape[1:], np.uint8), str(scans.folder / "b.nrrd"), properties)


def test_without_a_number_of_channels_any_is_right(scans):
    case = scans.case(channels=3)
    assert check_one(case, find_reader([case], {"file_ending": ".nii.gz"})) is None


def test_the_reader_is_not_heard(scans, capfd):
    case = scans.case(ending=".tiff", channels=2)
    (scans.folder / "a.json").unlink()  # nnU-Net warns that it takes 1 mm
    assert scans.problem(case, ".tiff", channels=2) is None
    assert capfd.readouterr() == ("", "")
