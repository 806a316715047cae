"""The two passes of the network over cases: features and uncertainty, each remembered case by case.

Owns what an answer depends on, and the order of work. Must not import nnU-Net.
"""

__all__ = ["Passes"]

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection.cache import CaseCache, cache_key
from nnunet_slpt.selection.uncertainty import CaseUncertainty, case_uncertainty

Arrays = Mapping[str, NDArray[Any]]


class Network(Protocol):
    """What the passes ask of a loaded model."""

    @property
    def sha256(self) -> str:
        """Of everything that its answers depend on."""

    @property
    def regions(self) -> bool:
        """Classes overlap."""

    @property
    def window(self) -> Mapping[str, Any]:
        """The settings of its sliding window."""

    def preprocess(self, cases: Sequence[tuple[str, Sequence[Path]]], processes: int) -> Any:
        """Name, image, properties, case by case in the given order."""

    def features(self, image: Tensor) -> list[NDArray[np.float32]]:
        """(2, C_s) for each encoder stage."""

    def predictions(self, image: Tensor) -> Tensor:
        """Logits (K, C, *S)."""


@dataclass(frozen=True, eq=False)
class Passes:
    """A model and what it has seen.

    Args:
        model: loaded.
        folder: of the caches.
        images: case → its image files.
        image_keys: case → a hash of these files' content.
        preprocessing: processes that read and resample; 0 does it in this one.
        scoring: threads that turn predictions into scores.
    """

    model: Network
    folder: Path
    images: Mapping[str, Sequence[Path]]
    image_keys: Mapping[str, str]
    preprocessing: int = 3
    scoring: int = 3

    def features(self, names: Sequence[str]) -> list[list[NDArray[np.float32]]]:
        """(2, C_s) of each encoder stage, for each case; see ``features.feature_matrix``."""

        def see(image: Tensor) -> Callable[[], Arrays]:
            pooled = self.model.features(image)
            return lambda: {f"{stage:02d}": values for stage, values in enumerate(pooled)}

        seen = self._run("features", names, see, {})
        return [[arrays[stage] for stage in sorted(arrays)] for arrays in seen]

    def uncertainty(self, names: Sequence[str]) -> list[CaseUncertainty]:
        """How unsure the network is about each case, by all measures."""

        def see(image: Tensor) -> Callable[[], Arrays]:
            logits = self.model.predictions(image)
            return lambda: _as_arrays(case_uncertainty(logits, self.model.regions))

        seen = self._run("uncertainty", names, see, self.model.window)
        return [_from_arrays(arrays) for arrays in seen]

    def _run(
        self,
        kind: str,
        names: Sequence[str],
        see: Callable[[Tensor], Callable[[], Arrays]],
        settings: Mapping[str, Any],
    ) -> list[Arrays]:
        """``see`` runs the network; what it returns is scored in a thread while the next case is seen."""
        cache = CaseCache(self.folder / kind)
        keys = {
            name: cache_key(image=self.image_keys[name], model=self.model.sha256, **settings)
            for name in names
        }
        todo = [(name, self.images[name]) for name in names if cache.read(name, keys[name]) is None]
        if todo:
            cases = tqdm(self.model.preprocess(todo, self.preprocessing), kind, len(todo), unit="case")
            with ThreadPoolExecutor(max(1, self.scoring)) as threads:
                waiting: deque[tuple[str, Future[Arrays]]] = deque()
                for name, image, _ in cases:
                    waiting.append((name, threads.submit(see(image))))
                    if len(waiting) > self.scoring:
                        self._keep(cache, keys, waiting)
                while waiting:
                    self._keep(cache, keys, waiting)
        return [_known(cache.read(name, keys[name]), name) for name in names]

    @staticmethod
    def _keep(
        cache: CaseCache, keys: Mapping[str, str], waiting: deque[tuple[str, "Future[Arrays]"]]
    ) -> None:
        name, future = waiting.popleft()
        cache.write(name, keys[name], future.result())


def _known(arrays: Arrays | None, name: str) -> Arrays:
    if arrays is None:
        raise SelectionError(
            f"What was just written of {name} is gone or of another model: does another call with other "
            "settings use this dataset's cache? Wait until it has ended, and start again."
        )
    return arrays


def _as_arrays(uncertainty: CaseUncertainty) -> Arrays:
    names = sorted(uncertainty.scores)
    return {
        "names": np.array(names),
        "scores": np.array([uncertainty.scores[name] for name in names]),
        "class_entropy": uncertainty.class_entropy,
    }


def _from_arrays(arrays: Arrays) -> CaseUncertainty:
    pairs = zip(arrays["names"], arrays["scores"], strict=True)
    return CaseUncertainty({str(name): float(score) for name, score in pairs}, arrays["class_entropy"])
