"""nnU-Net's own planner, asked for a PUNet: it decides all but the network, and tries patches on its memory.

Owns the PUNet's measures, and where nnU-Net's planner may write. Must not import the trainers.
"""

__all__ = ["FEATURES", "PUNetSizes", "punet_plans"]

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

from nnunet_slpt.datasets.fingerprint import knows_intensities
from nnunet_slpt.errors import PlanningError
from nnunet_slpt.files import write_json
from nnunet_slpt.host_conventions import FINGERPRINT_FILE, INTENSITIES
from nnunet_slpt.networks.punet import PUNET
from nnunet_slpt.networks.punet.memory import numbers_kept, numbers_within
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.networks.punet.tokens import TOKENS
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.transfer import MOST_OF_DATASET, SMALLEST_BATCH, Wishes, patch_size_for

FEATURES = (32, 64, 128, 256, 384)  # published
FEWEST_STAGES = 2
HOST_VARIABLE = "nnUNet_preprocessed"


def punet_plans(
    target: Target, plans_name: str, features: Sequence[int], gpu_memory: float, wishes: Wishes
) -> dict[str, Any]:
    """nnU-Net's plans for a dataset, with a PUNet in each configuration and without cascades.

    Its planner reads a fingerprint in ``nnUNet_preprocessed`` and writes there. It is given a folder of its
    own, so that nothing is written that may not last.

    Args:
        target: the dataset.
        plans_name: of the plans.
        features: of each stage; fewer are taken where nnU-Net plans fewer stages.
        gpu_memory: in gigabytes, which a training may take.
        wishes: another patch or batch size, whatever memory they take.

    Raises:
        PlanningError: no patch takes so little memory, or the strides do not divide the patch that is wished.
        DatasetError: an image cannot be read.
    """
    with TemporaryDirectory() as scratch, _preprocessed_in(scratch), redirect_stdout(StringIO()):
        folder = Path(scratch) / target.name
        folder.mkdir()
        write_json(folder / FINGERPRINT_FILE, target.fingerprint)
        PUNetSizes(target, plans_name, features, gpu_memory, wishes).plan_experiment()
        plans: dict[str, Any] = json.loads((folder / f"{plans_name}.json").read_text())
    plans["configurations"] = {
        name: {key: value for key, value in settings.items() if key != "next_stage"}
        for name, settings in plans["configurations"].items()
        if "previous_stage" not in settings
    }
    # nnU-Net looks each channel up, whatever its scheme.
    plans[INTENSITIES] = plans[INTENSITIES] or {str(channel): {} for channel in range(len(target.channels))}
    return plans


class PUNetSizes(ExperimentPlanner):
    """Chooses spacing, patch, strides, kernels and batch as nnU-Net does, by what a PUNet keeps in memory.

    As nnU-Net's planner it takes the largest patch of which two fit, then as many of it as fit. All cases
    count, for all of them are trained on. CTNormalization needs intensities of labelled voxels; without any,
    each image is normalised by itself.

    Args:
        target: the dataset.
        plans_name: of the plans.
        features: of each stage.
        gpu_memory: in gigabytes.
        wishes: another patch or batch size.
    """

    def __init__(
        self, target: Target, plans_name: str, features: Sequence[int], gpu_memory: float, wishes: Wishes
    ) -> None:
        super().__init__(target.name, plans_name=plans_name)
        self.target = target
        self.features = features
        self.wishes = wishes
        self.numbers = numbers_within(gpu_memory)
        self.dataset_json["numTraining"] = len(target.cases)
        # It shrinks the patch while two of it are more than the reference, which is for one here.
        of_two = self.numbers * 2 / (wishes.batch_size or SMALLEST_BATCH)
        self.UNet_reference_val_2d = self.UNet_reference_val_3d = of_two
        self.UNet_reference_val_corresp_bs_2d = self.UNet_reference_val_corresp_bs_3d = 1

    def determine_reader_writer(self) -> Any:
        """As nnU-Net, of all cases: its own looks at those alone that it believes labelled."""
        return type(self.target.own_reader)

    def determine_normalization_scheme_and_whether_mask_is_used_for_norm(
        self,
    ) -> tuple[list[str], list[bool]]:
        """As nnU-Net, but for CTNormalization where nobody knows the intensities of what is labelled."""
        schemes, masks = super().determine_normalization_scheme_and_whether_mask_is_used_for_norm()
        if knows_intensities(self.dataset_fingerprint):
            return schemes, masks
        return ["ZScoreNormalization" if one == "CTNormalization" else one for one in schemes], masks

    def static_estimate_VRAM_usage(  # noqa: N802  nnU-Net's name
        self, patch_size: Any, input_channels: int, labels: Any, unet: Any, network: Any, imports: Any
    ) -> int:
        """Numbers that a PUNet keeps for a patch: nnU-Net asks this of each patch that it tries."""
        architecture = self.architecture(patch_size, network["strides"], network["kernel_sizes"])
        settings = {"architecture": architecture, "patch_size": [int(size) for size in patch_size]}
        return numbers_kept(BodyPlan.from_settings(settings, input_channels))

    def get_plans_for_configuration(
        self, spacing: Any, median_shape: Any, data_identifier: Any, voxels: float, _cache: Any
    ) -> dict[str, Any]:
        """As nnU-Net, with a PUNet, and with the patch and the batch that are wished."""
        plan: dict[str, Any] = super().get_plans_for_configuration(
            spacing, median_shape, data_identifier, voxels, _cache
        )
        network = plan["architecture"]["arch_kwargs"]
        strides, kernels = network["strides"], network["kernel_sizes"]
        wished = self.wishes.patch_size
        if wished and len(wished) != len(spacing):
            wished = None
        if wished:
            edge = self.UNet_featuremap_min_edge_length
            _, strides, kernels, _, _ = get_pool_and_conv_props(spacing, wished, edge, 999999)
        plan["architecture"] = self.architecture(wished or plan["patch_size"], strides, kernels)
        plan["patch_size"] = patch_size_for(plan, wished)
        plan["batch_size"] = self.wishes.batch_size or self._batch_size(plan, voxels)
        return plan

    def architecture(
        self, patch: Sequence[Any], strides: Sequence[Any], kernels: Sequence[Any]
    ) -> dict[str, Any]:
        """The entry of the plans: as many stages as there are features, or as nnU-Net plans.

        Args:
            patch: in voxels.
            strides: into each stage that nnU-Net plans for it.
            kernels: of each.

        Raises:
            PlanningError: the patch is too small for two stages.
        """
        if len(strides) < FEWEST_STAGES:
            raise PlanningError(
                f"A patch of {_words(patch)} voxels is too small to be halved, and no larger one was asked "
                "for, fits the memory, or is in the images. Pass a larger --patch_size, more --gpu_memory or "
                "smaller --features, or take a dataset with larger images."
            )
        stages = min(len(self.features), len(strides))
        measures = {
            "features_per_stage": list(self.features[:stages]),
            "kernel_sizes": [[int(size) for size in kernel] for kernel in kernels[:stages]],
            "strides": [[int(step) for step in stride] for stride in strides[:stages]],
            "prompted": "full",
            "tokens": TOKENS,
        }
        return {"network_class_name": PUNET, "arch_kwargs": measures, "_kw_requires_import": []}

    def _batch_size(self, plan: dict[str, Any], voxels: float) -> int:
        """As many patches as fit, but at most 5 % of the dataset, and two at least: nnU-Net's rule."""
        patch = [int(size) for size in plan["patch_size"]]
        channels = len(self.target.channels)
        kept = numbers_kept(BodyPlan.from_settings(plan | {"patch_size": patch}, channels))
        share_of_dataset = round(MOST_OF_DATASET * voxels / math.prod(patch))
        return max(min(int(self.numbers / kept), share_of_dataset), SMALLEST_BATCH)


@contextmanager
def _preprocessed_in(folder: str) -> Iterator[None]:
    """Show nnU-Net, which asks the environment each time, another folder for what is preprocessed."""
    before = os.environ[HOST_VARIABLE]
    os.environ[HOST_VARIABLE] = folder
    try:
        yield
    finally:
        os.environ[HOST_VARIABLE] = before


def _words(values: Sequence[Any]) -> str:
    return " x ".join(str(int(value)) for value in values)
