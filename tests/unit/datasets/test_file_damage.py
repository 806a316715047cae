"""Files that are cut short or damaged are noticed wherever that changes a voxel."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_file_ending
from skimage import io

from nnunet_slpt.datasets import file_damage
from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.datasets.file_damage import damage
from nnunet_slpt.datasets.image_checks import check_one

VOXELS = np.random.default_rng(0).integers(1, 200, (6, 30, 40)).astype(np.int16)


def itk(compressed):
    def write(file):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS), str(file), compressed)

    return write


def tiff_of_pages(file):
    with tifffile.TiffWriter(file) as writer:
        for page in VOXELS:
            writer.write(page, metadata=None, contiguous=False)


FORMATS = {
    "packed.nii.gz": itk(True),
    "raw.nii": itk(False),
    "packed.nrrd": itk(True),
    "raw.nrrd": itk(False),
    "packed.mha": itk(True),
    "raw.mha": itk(False),
    "raw.gipl": itk(False),
    "picture.png": lambda file: io.imsave(file, VOXELS[0].astype(np.uint8), check_contrast=False),
    "picture.bmp": lambda file: io.imsave(file, VOXELS[0].astype(np.uint8), check_contrast=False),
    "plain.tiff": lambda file: tifffile.imwrite(file, VOXELS, metadata=None),
    "described.tiff": lambda file: tifffile.imwrite(file, VOXELS, compression="zlib"),
    "imagej.tiff": lambda file: tifffile.imwrite(file, VOXELS, imagej=True),
    "pages.tiff": tiff_of_pages,
}
each_format = pytest.mark.parametrize("name", FORMATS)


@pytest.fixture
def image(tmp_path, name):
    FORMATS[name](tmp_path / name)
    return tmp_path / name


def look(image):
    """The problem that is told, and the voxels that nnU-Net would take."""
    reader = determine_reader_writer_from_file_ending("." + image.name.partition(".")[2], verbose=False)()
    try:
        voxels = reader.read_images([str(image)])[0]
    except Exception:  # noqa: BLE001  whatever a reader raises
        voxels = None
    return check_one(Case("a", (image,), image, False), reader), voxels


@each_format
def test_a_whole_file_is_not_damaged(image):
    assert damage(image) == ""
    assert look(image)[0] is None


@each_format
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.8, 0.99, 0.999])
def test_a_file_cut_short_is_noticed_wherever_a_voxel_changes(image, share):
    _, whole = look(image)
    content = image.read_bytes()
    image.write_bytes(content[: int(share * len(content))])
    problem, voxels = look(image)
    assert problem or np.array_equal(voxels, whole)
    assert problem or share > 0.9


@pytest.mark.parametrize(
    "name", ["packed.nii.gz", "packed.nrrd", "packed.mha", "picture.png", "described.tiff"]
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_changed_bit_of_a_packed_file_is_noticed(image, share):
    content = bytearray(image.read_bytes())
    content[int(share * len(content))] ^= 4
    image.write_bytes(content)
    assert look(image)[0]


@pytest.mark.parametrize("name", ["raw.nii", "raw.gipl"])
@pytest.mark.parametrize("missing", [1, 2, 100])
def test_the_bytes_that_are_missing_are_counted(image, missing):
    expected = 14400 + (256 if image.suffix == ".gipl" else 352)
    image.write_bytes(image.read_bytes()[: expected - missing])
    assert damage(image) == f"cut short: {expected - missing} bytes, expected {expected}"


@pytest.mark.parametrize("name", ["raw.nii"])
def test_a_packed_file_may_hold_one_that_was_cut_short_before(image):
    packed = image.with_name("a.nii.gz")
    packed.write_bytes(gzip.compress(image.read_bytes()[:-10]))
    assert damage(packed) == "cut short: 14742 bytes, expected 14752"


@pytest.mark.parametrize("name", ["raw.nii"])
def test_an_unpacked_file_may_be_called_packed(image):
    # SimpleITK reads such a file.
    renamed = image.rename(image.with_name("a.nii.gz"))
    assert damage(renamed) == ""
    assert look(renamed)[0] is None
    renamed.write_bytes(renamed.read_bytes()[:-1])
    assert damage(renamed) == "cut short: 14751 bytes, expected 14752"


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_nifti_files_of_every_kind_are_measured(tmp_path, kind, order, dtype):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    file = tmp_path / "a.nii"
    nibabel.save(kind(VOXELS.astype(dtype), np.eye(4), header), file)
    assert struct.unpack(f"{order}i", file.read_bytes()[:4])[0] in (348, 540)
    assert damage(file) == ""
    file.write_bytes(file.read_bytes()[:-1])
    assert damage(file).endswith(f", expected {file.stat().st_size + 1}")


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nan_and_infinity_in_nifti_files_are_counted(tmp_path, monkeypatch, kind, order, dtype, ending):
    # SimpleITK reads zeros in their place. Blocks of all sizes give the same count.
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    voxels = VOXELS.astype(dtype)
    voxels[0, 0, 0], voxels[3, 2, 1], voxels[-1, -1, -1] = np.nan, np.inf, -np.inf
    file = tmp_path / f"a{ending}"
    nibabel.save(kind(voxels, np.eye(4), header), file)
    for block_bytes in (8, 64, 1 << 20):
        monkeypatch.setattr(file_damage, "BLOCK_BYTES", block_bytes)
        assert damage(file) == "3 of 7200 voxels are NaN or infinite"


@pytest.mark.parametrize("name", ["raw.nii"])
def test_what_lies_before_and_behind_the_voxels_does_not_count(image):
    nibabel.save(nibabel.Nifti1Image(VOXELS.astype(np.float32), np.eye(4)), image)
    content = bytearray(image.read_bytes() + b"\xff" * 64)
    content[148:228] = b"\xff" * 80  # the header's description; as floats these are NaN
    image.write_bytes(content)
    assert damage(image) == ""


@pytest.mark.parametrize(
    ("at", "value"), [(108, struct.pack("<f", np.nan)), (108, struct.pack("<f", -5)), (42, b"\xff\xff")]
)
@pytest.mark.parametrize("name", ["raw.nii"])
def test_a_header_that_makes_no_sense_is_left_to_the_reader(image, at, value):
    content = bytearray(image.read_bytes())
    content[at : at + len(value)] = value
    image.write_bytes(content)
    assert damage(image) == ""


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.gipl", "a.mha", "a.nrrd", "a.tif", "a.png"])
def test_an_empty_file_is_damaged_and_any_other_raises_nothing(tmp_path, name):
    for content in (b"", b"\0", b"\x1f", b"\x1f\x8b", b"hello", b"\xff" * 2000):
        (tmp_path / name).write_bytes(content)
        assert isinstance(damage(tmp_path / name), str)
        assert content or damage(tmp_path / name) == "empty: 0 bytes"
