"""Maps as files: they lie on their images, and what is said if they cannot be written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK
import torch
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.errors import FileError
from nnunet_slpt.selection.maps import on_image_grid, write_map

ABOUT = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, "file_ending": ".nii.gz"}
RESAMPLING = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": False}
X, Y, Z = BRIGHTEST = 6, 9, 2


def plans_of(spacing: list[float]) -> Any:
    """Plans that turn (Z, Y, X) into (X, Z, Y), which is not its own inverse."""
    configuration: dict[str, Any] = {
        "architecture": {},
        "preprocessor_name": "DefaultPreprocessor",
        "spacing": spacing,
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
    }
    for what in ("data", "seg", "probabilities"):
        configuration[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        configuration[f"resampling_fn_{what}_kwargs"] = RESAMPLING
    order = {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    about = {"image_reader_writer": "SimpleITKIO", "foreground_intensity_properties_per_channel": {"0": {}}}
    return PlansManager({**order, **about, "configurations": {"one": configuration}})


def write_image(file: Path) -> Any:
    """Anisotropic, tilted, with zeros around what is cropped to, and one voxel that is brightest."""
    voxels = np.zeros((6, 14, 14), np.float32)
    voxels[1:6, 4:11, 2:11] = 10
    voxels[Z, Y, X] = 100
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((1.0, 1.5, 3.0))
    image.SetOrigin((-7.0, 20.0, 5.0))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, -1))
    SimpleITK.WriteImage(image, str(file))
    return image


# In the network's order: thrice as coarse along X and thrice as fine along Z, so that centres of voxels
# meet; a 2D configuration leaves X as it is.
@pytest.mark.parametrize("spacing", [[1.0, 3.0, 1.5], [3.0, 1.0, 1.5], [1.0, 1.5]])
def test_a_voxel_marked_on_the_networks_grid_is_found_at_its_place(
    tmp_path: Path, spacing: list[float]
) -> None:
    file, drawn_file = tmp_path / "a_0000.nii.gz", tmp_path / "maps" / "a.nii.gz"
    image, plans = write_image(file), plans_of(spacing)
    configuration = plans.get_configuration("one")
    preprocessor: Any = DefaultPreprocessor(verbose=False)
    seen, _, properties = preprocessor.run_case([str(file)], None, plans, configuration, ABOUT)
    marked = torch.zeros(seen[0].shape)
    marked[np.unravel_index(seen[0].argmax(), seen[0].shape)] = 1

    predictor = SimpleNamespace(plans_manager=plans, configuration_manager=configuration)
    write_map(on_image_grid(marked, properties, predictor), file, drawn_file)
    drawn = SimpleITK.ReadImage(str(drawn_file))
    voxels = SimpleITK.GetArrayFromImage(drawn)
    assert voxels.max() == pytest.approx(1)
    place = [int(index) for index in np.unravel_index(voxels.argmax(), voxels.shape)[::-1]]
    there = drawn.TransformIndexToPhysicalPoint(place)
    assert there == pytest.approx(image.TransformIndexToPhysicalPoint(BRIGHTEST))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    drawn = SimpleITK.GetImageFromArray(np.zeros((2, 3, 4), np.float32))
    drawn.SetSpacing((0.5, 1.5, 3.0))
    SimpleITK.WriteImage(drawn, str(tmp_path / "a_0000.nii.gz"))
    return tmp_path / "a_0000.nii.gz"


def test_it_lies_on_the_image_and_nothing_beside_it(image: Path, tmp_path: Path) -> None:
    write_map(np.full((2, 3, 4), 7, np.float32), image, tmp_path / "maps" / "a.nii.gz")
    written = SimpleITK.ReadImage(str(tmp_path / "maps" / "a.nii.gz"))
    assert written.GetSpacing() == (0.5, 1.5, 3.0)
    assert (SimpleITK.GetArrayFromImage(written) == 7).all()
    assert [file.name for file in (tmp_path / "maps").iterdir()] == ["a.nii.gz"]


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(image: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").touch()
    with pytest.raises(FileError, match=r"a\.nii\.gz cannot be written.*Look at"):
        write_map(np.zeros((2, 3, 4), np.float32), image, tmp_path / "maps" / "a.nii.gz")
