"""What the network predicts and how unsure it is, on the grid of the image; maps of it as NIfTI files.

Owns the way back from the network's grid. Writes nothing but these files.
"""

__all__ = ["check_reader", "on_image_grid", "predict", "write_map"]

import math
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import insert_crop_into_image
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from numpy.typing import NDArray
from torch import Tensor

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.files import read_bytes, write_bytes
from nnunet_slpt.selection.uncertainty import voxel_maps

Map = NDArray[np.float32]


def check_reader(predictor: Any) -> None:
    """Refuse a reader that turns images round: its maps would lie elsewhere than the image.

    Args:
        predictor: nnU-Net's, initialised.

    Raises:
        SelectionError: the plans read with reorientation.
    """
    reader = predictor.plans_manager.image_reader_writer_class.__name__
    if "Reorient" in reader:
        raise SelectionError(
            f"--save_maps cannot be used with plans that read images with {reader}: it turns them to another "
            "orientation. Leave --save_maps out."
        )


def predict(image: Tensor, properties: Mapping[str, Any], predictor: Any) -> tuple[NDArray[Any], Map]:
    """What ``nnUNetv2_predict`` predicts for a case, and how unsure it is.

    Args:
        image: (C, *S), preprocessed.
        properties: of the case, from preprocessing.
        predictor: nnU-Net's, initialised.

    Returns:
        Values of the model's labels (Z, Y, X); and the entropy of the prediction, with prompts of their mean,
        in percent of the largest that is possible (Z, Y, X): 0 is sure, 100 has no idea.
    """
    logits = predictor.predict_logits_from_preprocessed_data(image)
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    manager = predictor.label_manager
    labels = convert_predicted_logits_to_segmentation_with_correct_shape(
        logits.numpy(), plans, configuration, manager, properties, num_threads_torch=torch.get_num_threads()
    )
    heads = manager.num_segmentation_heads
    largest = heads * math.log(2) if manager.has_regions else math.log(heads)
    entropy = voxel_maps(logits[None], bool(manager.has_regions))["entropy"]
    return labels, on_image_grid(100 * entropy / largest, properties, predictor).clip(0, 100)


def on_image_grid(values: Tensor, properties: Mapping[str, Any], predictor: Any) -> Map:
    """Undo resampling, cropping and transposition, as nnU-Net does for its predictions.

    The counterpart of inference/export_prediction.py for one map of real numbers. Outside the crop it is 0.

    Args:
        values: (*S), on the network's grid.
        properties: of the case, from preprocessing.
        predictor: nnU-Net's, initialised.
    """
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    spacing = [properties["spacing"][axis] for axis in plans.transpose_forward]
    shape = properties["shape_after_cropping_and_before_resampling"]
    # A 2D configuration leaves the first axis as it is.
    current = [*spacing[: len(shape) - len(configuration.spacing)], *configuration.spacing]
    cropped = configuration.resampling_fn_probabilities(values[None], shape, current, spacing)
    whole = np.zeros(properties["shape_before_cropping"], np.float32)
    whole = insert_crop_into_image(whole, np.asarray(cropped[0]), properties["bbox_used_for_cropping"])
    return np.ascontiguousarray(whole.transpose(plans.transpose_backward))


def write_map(values: Map, image_file: Path, target: Path) -> None:
    """Write a map with the geometry of its image.

    Args:
        values: (Z, Y, X); for a flat picture Z is 1.
        image_file: of the case; its first channel.
        target: a ``.nii.gz`` to write.

    Raises:
        FileError: it cannot be written.
    """
    image: Any = SimpleITK.ReadImage(str(image_file))
    drawn: Any = SimpleITK.GetImageFromArray(values[0] if image.GetDimension() == 2 else values)
    drawn.CopyInformation(image)
    with TemporaryDirectory() as folder:
        file = Path(folder) / target.name
        SimpleITK.WriteImage(drawn, str(file), useCompression=True)
        write_bytes(target, read_bytes(file))
