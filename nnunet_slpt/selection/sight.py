"""What a strategy needs to know of the cases, from the network and from the cache.

Owns which pass a strategy's needs ask for. Must not import nnU-Net itself.
"""

__all__ = ["Sight"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.errors import SelectionError, one_of
from nnunet_slpt.label_outputs import class_names
from nnunet_slpt.pretrained import model_folder
from nnunet_slpt.selection.device import check_device
from nnunet_slpt.selection.features import STAGES, feature_matrix
from nnunet_slpt.selection.labels import count_foreground
from nnunet_slpt.selection.maps import check_reader, on_image_grid, write_map
from nnunet_slpt.selection.network import Model
from nnunet_slpt.selection.passes import Passes
from nnunet_slpt.selection.place import USUAL, find_model_folder
from nnunet_slpt.selection.pool import Pool
from nnunet_slpt.selection.request import Request
from nnunet_slpt.selection.rounds import Round
from nnunet_slpt.selection.strategies import Candidates, Strategy
from nnunet_slpt.selection.uncertainty import AGGREGATIONS, MEASURES, voxel_maps


@dataclass(frozen=True, eq=False)
class Sight:
    """A model over the cases of a dataset, loaded only if a strategy needs it.

    Args:
        request: which model, and how it looks.
        cases: by name.
        dataset_json: of the raw dataset.
        folder: of the caches.
    """

    request: Request
    cases: Mapping[str, Case]
    dataset_json: Mapping[str, Any]
    folder: Path

    def uses_model(self, strategy: Strategy) -> bool:
        """Whether the strategy, or what is written beside the round, needs the network."""
        looks = {"features", "predictions"} & strategy.needs
        return bool(looks) or self.request.save_maps or self.request.prelabel

    def check(self, strategy: Strategy) -> None:
        """Refuse a model that cannot tell what the strategy needs.

        Raises:
            SLPTError: no such model, one that needs other images or another's predictions, no prompts, no
                encoder; or an unknown setting.
        """
        for kind, got, known in (
            ("aggregation", self.request.aggregation, AGGREGATIONS),
            ("stages", self.request.stages, STAGES),
        ):
            if got not in known:
                raise SelectionError(f"{one_of(kind, got, known)}.")
        if self.uses_model(strategy):
            self.model.check_fits(self.dataset_json)
        if "features" in strategy.needs:
            self.model.check_encoder()
        if "predictions" in strategy.needs:
            self.model.check_prompts(strategy.name)
        if self.request.save_maps:
            self.model.check_prompts("--save_maps")
            check_reader(self.model.predictor)

    def about(self, predicts: bool) -> dict[str, Any]:
        """The model, as a round tells it.

        Args:
            predicts: its predictions count; then the sliding window, which changes them, is told as well.
        """
        checkpoints = [str(file.relative_to(self.model.folder)) for file in self.model.checkpoints]
        about = {"folder": str(self.model.folder), "checkpoints": checkpoints, "sha256": self.model.sha256}
        return about | ({"window": self.model.window} if predicts else {})

    def in_words(self) -> str:
        """Which checkpoints look at the cases."""
        folds = ", ".join(file.parent.name for file in self.model.checkpoints)
        newer = ". fold_all is newer: -f all looks with it" if self._is_all_newer else ""
        return f"Looking with {self.model.folder}: {folds} ({self.request.checkpoint}){newer}."

    @property
    def _is_all_newer(self) -> bool:
        """Whether a tuning on all cases, which is taken only if asked for, ended after those that look."""
        of_all = self.model.folder / "fold_all" / self.request.checkpoint
        looking = self.model.checkpoints
        return (
            not self.request.folds
            and of_all.is_file()
            and of_all.stat().st_mtime > max(file.stat().st_mtime for file in looking)
        )

    def folds_before(self, one: Round, made_at: float) -> list[str]:
        """The folds that were there when a round was made, so they know no label that came in since.

        Args:
            one: the round.
            made_at: when, as a file's time of change.
        """
        same = (one.model or {}).get("sha256") == self.model.sha256
        return [file.parent.name for file in self.model.checkpoints if same or file.stat().st_mtime < made_at]

    def candidates(
        self, strategy: Strategy, pool: Pool, round_number: int, image_keys: Mapping[str, str]
    ) -> Candidates:
        """The pool's candidates with what the strategy needs.

        For features, a case that waits for its label counts as labelled: its kind is being drawn.

        Args:
            strategy: that will choose.
            pool: whose candidates may be chosen.
            round_number: of the round to be made.
            image_keys: from ``usable_images``, of all cases that the strategy needs.
        """
        names = pool.candidates
        self.see(strategy, pool, image_keys)
        known: dict[str, Any] = {}
        if "features" in strategy.needs:
            seen = self._passes(image_keys).features([*names, *pool.covered])
            matrix = feature_matrix(seen, self.request.stages)
            known |= {"features": matrix[: len(names)], "labelled_features": matrix[len(names) :]}
        if "predictions" in strategy.needs:
            uncertain = self._passes(image_keys).uncertainty(names)
            columns = {measure: f"{measure}/{self.request.aggregation}" for measure in MEASURES}
            columns["prompt_dice"] = "prompt_dice"
            known["scores"] = {
                measure: np.array([case.scores[column] for case in uncertain], np.float32)
                for measure, column in columns.items()
            }
            known["classes"] = class_names(self.model.predictor.dataset_json["labels"])
            known["class_entropy"] = np.stack([case.class_entropy for case in uncertain]).astype(np.float32)
        if "labels" in strategy.needs:
            known["foreground_voxels"] = count_foreground(
                [self.cases[name] for name in names], self.dataset_json
            )
        return Candidates(tuple(names), round_number=round_number, **known)

    def see(self, strategy: Strategy, pool: Pool, image_keys: Mapping[str, str]) -> int:
        """Fill the caches with what the strategy needs of the cases whose images were checked.

        Args:
            strategy: that will choose.
            pool: whose candidates may be chosen.
            image_keys: from ``usable_images``.

        Returns:
            How many cases these are.
        """
        features = {*pool.candidates, *pool.covered} if "features" in strategy.needs else set()
        uncertain = set(pool.candidates) if "predictions" in strategy.needs else set()
        mine = sorted((features | uncertain) & image_keys.keys())
        if mine:
            self._passes(image_keys).see(
                features=[name for name in mine if name in features],
                uncertainty=[name for name in mine if name in uncertain],
            )
        return len(mine)

    def save_maps(self, names: Sequence[str], folder: Path) -> None:
        """Write each measure's map of cases as ``NAME_MEASURE.nii.gz``."""
        images = {name: self.cases[name].images for name in names}
        seen = self.model.preprocess(list(images.items()), self.request.preprocessing)
        for name, image, properties in tqdm(seen, "maps", len(images), unit="case"):
            maps = voxel_maps(self.model.predictions(image), self.model.regions)
            for measure in MEASURES:
                drawn = on_image_grid(maps[measure], properties, self.model.predictor)
                write_map(drawn, images[name][0], folder / f"{name}_{measure}.nii.gz")

    @cached_property
    def model(self) -> Model:
        """Loaded at the first need; only then does the device matter."""
        asked = self.request
        check_device(asked.device)
        folder = (
            model_folder(asked.model_folder, asked.configuration or USUAL)
            if asked.model_folder
            else find_model_folder(asked.dataset, asked.trainer, asked.plans, asked.configuration)
        )
        return Model.load(
            folder,
            asked.folds,
            asked.checkpoint,
            torch.device(asked.device),
            asked.step_size,
            asked.mirroring,
        )

    def _passes(self, image_keys: Mapping[str, str]) -> Passes:
        return Passes(
            self.model,
            self.folder / "seen",
            {name: case.images for name, case in self.cases.items()},
            image_keys,
            self.request.preprocessing,
            self.request.scoring,
        )
