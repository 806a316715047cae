"""What the network tells of cases: features and uncertainty, each remembered case by case.

Owns what an answer depends on, and the order of work. Must not import nnU-Net.
"""

__all__ = ["Passes"]

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
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
    def axes(self) -> int:
        """Of its patch."""

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
        """(2, C_s) of each encoder stage, for cases that were seen; see ``features.feature_matrix``."""
        seen = [self._remembered(name, "features") for name in names]
        return [[arrays[stage] for stage in sorted(arrays)] for arrays in seen]

    def uncertainty(self, names: Sequence[str]) -> list[CaseUncertainty]:
        """How unsure the network is about each case that was seen, by all measures."""
        return [_from_arrays(self._remembered(name, "uncertainty")) for name in names]

    def see(self, *, features: Sequence[str] = (), uncertainty: Sequence[str] = ()) -> None:
        """Look at what is not remembered. A case of which both are asked for is read and resampled once.

        Args:
            features: names of cases.
            uncertainty: names of cases.
        """
        todo = self._unseen({"features": features, "uncertainty": uncertainty})
        if not todo:
            return
        what = " and ".join(sorted(set(chain(*todo.values()))))
        images = [(name, self.images[name]) for name in todo]
        cases = tqdm(self.model.preprocess(images, self.preprocessing), what, len(todo), unit="case")
        with ThreadPoolExecutor(max(1, self.scoring)) as threads:
            waiting: deque[tuple[str, str, Future[Arrays]]] = deque()
            for name, image, _ in cases:
                for kind in todo[name]:
                    # Scored in a thread while the network looks on.
                    waiting.append((name, kind, threads.submit(self._look(kind, image))))
                    if len(waiting) > self.scoring:
                        self._keep(*waiting.popleft())
            while waiting:
                self._keep(*waiting.popleft())

    def _unseen(self, wanted: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """What is still to be seen in each case, of kind → names."""
        todo: dict[str, list[str]] = {}
        for kind, names in wanted.items():
            for name in names:
                if self._cache(kind).read(name, self._key(name, kind)) is None:
                    todo.setdefault(name, []).append(kind)
        return todo

    def _look(self, kind: str, image: Tensor) -> Callable[[], Arrays]:
        """Run the network; what is returned turns its answer into what is kept."""
        if kind == "features":
            pooled = self.model.features(image)
            return lambda: {f"{stage:02d}": values for stage, values in enumerate(pooled)}
        logits = self.model.predictions(image)
        return lambda: _as_arrays(case_uncertainty(logits, self.model.regions, self.model.axes))

    def _cache(self, kind: str) -> CaseCache:
        return CaseCache(self.folder / kind)

    def _key(self, name: str, kind: str) -> str:
        settings = self.model.window if kind == "uncertainty" else {}
        return cache_key(image=self.image_keys[name], model=self.model.sha256, **settings)

    def _keep(self, name: str, kind: str, seen: "Future[Arrays]") -> None:
        arrays = seen.result()
        if kind == "features" and not all(np.isfinite(values).all() for values in arrays.values()):
            raise SelectionError(
                f"The network's features of {name} are not finite: it overflows on that image. Look at its "
                "intensities, or leave the case out (--exclude)."
            )
        self._cache(kind).write(name, self._key(name, kind), arrays)

    def _remembered(self, name: str, kind: str) -> Arrays:
        arrays = self._cache(kind).read(name, self._key(name, kind))
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
