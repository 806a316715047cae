"""A dataset of tiny scans with one round whose cases wait for labels, and its annotators."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from some_rounds import round_of

from nnunet_slpt.selection.handover.cli import main
from nnunet_slpt.selection.round_store import RoundStore
from nnunet_slpt.selection.rounds import ScoredCase
from nnunet_slpt.selection.splits import Fold

DATASET = "Dataset027_Clinic"
CASES = ("a", "b", "c", "d")
CHOSEN = CASES[:3]
LABELS = {"background": 0, "organ": 1, "lesion": 2}
SPACING, ORIGIN = (0.5, 1.5, 3.0), (-10.0, 20.0, 30.0)


class Clinic:
    """Of four cases the first three were chosen; ``inbox`` is where the annotators put their labels."""

    def __init__(self, folder: Path, ending: str = ".nii.gz", mode: str = "prospective") -> None:
        self.raw, self.inbox = folder / "raw" / DATASET, folder / "inbox"
        self.labels, self.ending = self.raw / "labelsTr", ending
        for one in (self.raw / "imagesTr", self.labels, self.inbox):
            one.mkdir(parents=True)
        about = {"channel_names": {"0": "CT"}, "labels": LABELS, "file_ending": ending}
        (self.raw / "dataset.json").write_text(json.dumps(about))
        for number, name in enumerate(CASES):
            noise = np.random.default_rng(number).normal(size=(6, 7, 8)).astype(np.float32)
            self.write(self.raw / "imagesTr" / f"{name}_0000{ending}", noise)
        self.store = RoundStore(folder / "preprocessed" / DATASET)
        self.home = self.store.folder
        self.opened, self.predicted = (self.store.beside(0, what) for what in ("to_annotate", "prelabels"))
        self.home.parent.mkdir(parents=True)
        self.store.commit(a_round(mode), [Fold(CHOSEN[:2], CHOSEN[2:])], "rank,case\n")

    def write(self, file, voxels, spacing=SPACING, origin=ORIGIN):
        file.parent.mkdir(parents=True, exist_ok=True)
        image = SimpleITK.GetImageFromArray(voxels)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        SimpleITK.WriteImage(image, str(file), True)
        return file

    def drawn(self, case, kind=np.uint8):
        """A label that no other case has."""
        label = np.zeros((6, 7, 8), kind)
        label[1:4, 2:5, 2 : 4 + CASES.index(case)] = 1
        label[2, 3, 3] = 2
        return label

    def bring(self, case, voxels=None, ending=None, folder=None, **geometry):
        """An annotator puts a label into the inbox."""
        file = (folder or self.inbox) / f"{case}{ending or self.ending}"
        return self.write(file, self.drawn(case) if voxels is None else voxels, **geometry)

    def prelabel(self, case, voxels):
        for folder in (self.predicted, self.opened):
            self.bring(case, voxels, folder=folder)

    def collect(self, *arguments, folder=None):
        return main(["-d", "27", "-i", str(folder or self.inbox), *arguments])

    def label(self, case):
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(self.labels / f"{case}{self.ending}")))

    def there(self):
        return sorted(file.name.removesuffix(self.ending) for file in self.labels.iterdir())

    def report(self):
        return json.loads(self.store.beside(0, "collected.json").read_text())


def a_round(mode):
    cases = (ScoredCase(name=name, rank=rank, chosen=name in CHOSEN) for rank, name in enumerate(CASES, 1))
    return round_of(mode=mode, cases=tuple(cases))


@pytest.fixture
def make_clinic(tmp_path, monkeypatch):
    for name in ("raw", "preprocessed", "results"):
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    return lambda **how: Clinic(tmp_path, **how)


@pytest.fixture
def clinic(make_clinic):
    return make_clinic()
