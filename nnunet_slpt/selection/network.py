"""A trained nnU-Net that looks at cases: pooled features of its encoder, predictions of its prompts.

Owns what the selection must know of nnU-Net's inference. Writes nothing.
"""

__all__ = ["Model"]

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from nnunetv2.inference.data_iterators import preprocessing_iterator_fromfiles
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window
from numpy.typing import NDArray
from torch import Tensor, nn

from nnunet_slpt.config import PUNetPretrainConfig
from nnunet_slpt.datasets.cases import channel_count
from nnunet_slpt.errors import CheckpointError, SelectionError
from nnunet_slpt.files import read_blocks
from nnunet_slpt.pretrained import read_checkpoint
from nnunet_slpt.selection.abilities import PromptsAsChannels, encoder_of, members_of, without_scale_shift
from nnunet_slpt.selection.features import FeatureSums
from nnunet_slpt.selection.place import find_checkpoints

MOST_WORDS = 50  # of what nnU-Net or torch says of a model that it cannot load
ImageFiles = tuple[str, Sequence[Path]]


@dataclass(frozen=True, eq=False)
class Model:
    """A result folder of nnU-Net, loaded.

    Args:
        folder: with ``plans.json``, ``dataset.json`` and ``fold_X/``.
        checkpoints: one a fold.
        predictor: nnU-Net's, initialised.
    """

    folder: Path
    checkpoints: tuple[Path, ...]
    predictor: Any

    @classmethod
    def load(
        cls,
        folder: Path,
        folds: Sequence[str] | None,
        checkpoint: str,
        device: torch.device,
        step_size: float,
        mirroring: bool,
    ) -> "Model":
        """Load what ``nnUNetv2_predict`` would.

        Args:
            folder: of the model.
            folds: numbers or ``all``; ``None`` takes all that are there.
            checkpoint: file name inside each fold's folder.
            device: to run on.
            step_size: of the sliding window, as a share of the patch.
            mirroring: average predictions over mirrored images.

        Raises:
            CheckpointError: the folder is no model, or a fold or its checkpoint is missing.
        """
        files = find_checkpoints(folder, folds, checkpoint)
        predictor = nnUNetPredictor(
            tile_step_size=step_size,
            use_mirroring=mirroring,
            perform_everything_on_device=device.type == "cuda",
            device=device,
            allow_tqdm=False,
        )
        names = tuple(file.parent.name.removeprefix("fold_") for file in files)
        try:
            predictor.initialize_from_trained_model_folder(str(folder), names, checkpoint)
        except Exception as error:  # a damaged file, or a trainer of another program, can raise anything
            for file in files:
                read_checkpoint(file)  # tells what is wrong with a damaged one
            reason = " ".join(str(error).split()[:MOST_WORDS]) or type(error).__name__
            raise CheckpointError(
                f"nnU-Net cannot load the model in {folder}: {reason} Does nnUNetv2_predict_from_modelfolder "
                "work with it?"
            ) from error
        return cls(folder, files, predictor)

    @cached_property
    def sha256(self) -> str:
        """Of plans, dataset.json and checkpoints: another model has another one."""
        digest = hashlib.sha256()
        for file in (self.folder / "plans.json", self.folder / "dataset.json", *self.checkpoints):
            digest.update(f"{file.relative_to(self.folder)} {file.stat().st_size}\n".encode())
            for block in read_blocks(file):
                digest.update(block)
        return digest.hexdigest()

    @property
    def network(self) -> nn.Module:
        """Without the wrapper of torch.compile."""
        network: nn.Module = getattr(self.predictor.network, "_orig_mod", self.predictor.network)
        return network

    @property
    def prompts(self) -> int:
        """K: prompts, or a PUNet's subsets of tokens; 0 for a network without any."""
        return members_of(self.network)

    @property
    def regions(self) -> bool:
        """Classes overlap: sigmoid instead of softmax."""
        return bool(self.predictor.label_manager.has_regions)

    @property
    def axes(self) -> int:
        """Of its patch: 2 or 3."""
        return len(self.predictor.configuration_manager.patch_size)

    @property
    def window(self) -> dict[str, Any]:
        """What its predictions depend on beside image and weights."""
        predictor = self.predictor
        mirrored = list(predictor.allowed_mirroring_axes or []) if predictor.use_mirroring else []
        return {"step_size": predictor.tile_step_size, "mirrored_axes": mirrored}

    def check_fits(self, dataset_json: Mapping[str, Any]) -> None:
        """Refuse a dataset that this network cannot look at.

        Raises:
            SelectionError: it is the second stage of a cascade; other number of channels; or files that its
                plans' reader cannot read.
        """
        first = self.predictor.configuration_manager.previous_stage_name
        if first is not None:
            raise SelectionError(
                f"The model in {self.folder} is the second stage of a cascade, which looks at what {first} "
                "predicts beside the image. Expected one that looks at images alone: pass a model of "
                "3d_fullres, 3d_lowres or 2d, with -m or -c."
            )
        ours, theirs = channel_count(self.predictor.dataset_json), channel_count(dataset_json)
        if ours != theirs:
            raise SelectionError(
                f"The model in {self.folder} takes {ours} image channel(s), the dataset has {theirs}. Pass a "
                "model with -m that was trained on as many images a case; or choose the first cases with "
                "-strategy random, and later ones with the model that was tuned on them."
            )
        endings = self.predictor.plans_manager.image_reader_writer_class.supported_file_endings
        if dataset_json["file_ending"].lower() not in endings:
            raise SelectionError(
                f"The plans of {self.folder} read {', '.join(endings)}; the dataset's images end in "
                f"{dataset_json['file_ending']}. Convert the images, or pass another model with -m."
            )

    def check_encoder(self) -> None:
        """Refuse a network without stages to take features from.

        Raises:
            SelectionError: neither a plain nor a residual U-Net, nor a PUNet.
        """
        if encoder_of(self.network) is None:
            raise SelectionError(
                f"Features are taken from the stages of an encoder, and the {type(self.network).__name__} in "
                f"{self.folder} has none. Use a PlainConvUNet, a ResidualEncoderUNet or a PUNet, or a "
                "strategy that needs no features."
            )

    def check_prompts(self, what: str) -> None:
        """Refuse a network whose predictions cannot disagree.

        Args:
            what: the strategy that compares them, or an option.

        Raises:
            SelectionError: no prompts, or one alone; or a pretraining.
        """
        self.check_tuned(what)
        if self.prompts < 2:
            raise SelectionError(
                f"{what} compares the predictions of several prompts, and the model in {self.folder} has "
                f"{self.prompts or 'none'}. Pass with -m the folder of an nnUNetTrainerSLPT run, or of an "
                "nnUNetTrainerPUNet run with two tokens or more; or choose a strategy that needs features "
                "alone, such as -strategy kmeans."
            )

    def check_tuned(self, what: str) -> None:
        """Refuse a PUNet's pretraining: its tokens need not have learned what a class is.

        Args:
            what: that needs predictions.

        Raises:
            SelectionError: it is a pretraining.
        """
        if PUNetPretrainConfig.wrote(self.predictor.plans_manager.plans):
            raise SelectionError(
                f"{what} needs predictions, and the model in {self.folder} is a PUNet's pretraining, which "
                "gives features alone. Tune it with -tr nnUNetTrainerPUNet and pass that folder with -m, or "
                "leave it out: -strategy kmeans needs features alone."
            )

    def preprocess(self, cases: Sequence[ImageFiles], processes: int) -> Iterator[tuple[str, Tensor, Any]]:
        """Name, image (C, *S) on the network's grid, and properties, case by case in the given order.

        Args:
            cases: names with their image files.
            processes: to preprocess in; 0 does it in this one.
        """
        predictor = self.predictor
        plans, settings = predictor.plans_manager, predictor.configuration_manager
        files = [[str(file) for file in images] for _, images in cases]
        if processes and cases:
            items = preprocessing_iterator_fromfiles(
                files, None, None, plans, predictor.dataset_json, settings, processes
            )
            for (name, _), item in zip(cases, items, strict=True):
                yield name, item["data"], item["data_properties"]
            return
        preprocessor = settings.preprocessor_class(verbose=False)
        for (name, _), paths in zip(cases, files, strict=True):
            data, _, properties = preprocessor.run_case(paths, None, plans, settings, predictor.dataset_json)
            yield name, torch.from_numpy(data).float(), properties

    @torch.inference_mode()
    def features(self, image: Tensor) -> list[NDArray[np.float32]]:
        """Mean and standard deviation (2, C_s) of each encoder stage's channels over a case.

        Of the first fold's network, in patches that overlap as little as they can; behind a prompt tuning
        of the pretrained one.

        Args:
            image: (C, *S), preprocessed.
        """
        network: Any = self.network
        network.load_state_dict(without_scale_shift(self.predictor.list_of_parameters[0]))
        encoder: Any = encoder_of(network.to(self.predictor.device).eval())
        patch_size = self.predictor.configuration_manager.patch_size
        inside = torch.ones(1, *image.shape[1:])
        padded = [pad_nd_image(x, patch_size, "constant", {"value": 0}) for x in (image, inside)]
        sums = FeatureSums()
        with self._autocast():
            for window in _windows(padded[0].shape[1:], patch_size):
                patch, mask = (x[(slice(None), *window)][None].to(self.predictor.device) for x in padded)
                sums.add(encoder(patch), mask)
        return sums.mean_and_deviation()

    def predictions(self, image: Tensor) -> Tensor:
        """Logits (K · folds, C, *S), K predictions of every fold, by nnU-Net's own sliding window.

        Args:
            image: (C, *S), preprocessed.
        """
        window = copy.copy(self.predictor)
        classes = self.predictor.label_manager.num_segmentation_heads
        window.network = PromptsAsChannels(self.network)
        # All that the window asks of a label manager is how many channels to make room for.
        window.label_manager = SimpleNamespace(num_segmentation_heads=self.prompts * classes)
        members = []
        for weights in self.predictor.list_of_parameters:
            self.network.load_state_dict(weights)
            logits = window.predict_sliding_window_return_logits(image).cpu()
            members.append(logits.unflatten(0, (self.prompts, classes)))
        return torch.cat(members) if members[1:] else members[0]  # cat copies, and they are large

    def _autocast(self) -> AbstractContextManager[Any]:
        # As nnU-Net: on CUDA alone.
        return torch.autocast("cuda") if self.predictor.device.type == "cuda" else nullcontext()


def _windows(grid: Sequence[int], patch_size: Sequence[int]) -> list[tuple[Any, ...]]:
    """Patches that cover the grid; with a 2D patch in 3D, slice by slice."""
    axes = len(patch_size)
    windows: list[tuple[Any, ...]] = [()] if axes == len(grid) else [(i,) for i in range(grid[0])]
    starts = compute_steps_for_sliding_window(grid[-axes:], patch_size, 1.0)
    for size, along in zip(patch_size, starts, strict=True):
        windows = [(*window, slice(start, start + size)) for window in windows for start in along]
    return windows
