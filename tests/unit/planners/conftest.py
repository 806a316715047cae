"""nnU-Net's folders, a dataset in them, and a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_models import about, plans_of, write_model, write_raw

from nnunet_slpt.planners.draft import Request

DATASET = "Dataset200_Target"


class Place:
    """The folders of a test; writes what it asks for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.preprocessed = folder / "preprocessed" / DATASET
        self.channels: tuple[str, ...] = ("MRI",)

    def dataset(
        self, channels: tuple[str, ...] = ("MRI",), labels: Any = None, more: Any = None, **raw: Any
    ) -> None:
        write_raw(self.folder / "raw" / DATASET, about(channels, labels, **(more or {})), **raw)

    def model(self, channels: tuple[str, ...] = ("MRI",), **plans: Any) -> Path:
        return write_model(self.folder / "models", plans_of(channels=len(channels), **plans), about(channels))

    def request(self, model: Path, **wanted: Any) -> Request:
        return Request(dataset="200", model=model, **{"processes": 1, **wanted})

    def files(self) -> set[str]:
        """What lies in the preprocessed folder; no lock."""
        if not self.preprocessed.exists():
            return set()
        return {str(file.relative_to(self.preprocessed)) for file in self.preprocessed.rglob("*")} - {".lock"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # nnU-Net's 100 million take seconds, however small the images are.
    monkeypatch.setattr("nnunet_slpt.datasets.fingerprint.VOXELS_SAMPLED", 1e4)
    for name in ("raw", "preprocessed", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    return Place(tmp_path)
