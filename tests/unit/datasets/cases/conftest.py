"""A tiny raw dataset of empty files: cases are read by their names."""

import json
from pathlib import Path

import pytest

from nnunet_slpt.datasets.cases import read_cases
from nnunet_slpt.errors import DatasetError


class Tiny:
    """A raw dataset that a test changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def touch(self, *names):
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).touch()

    def describe(self, channels=1, ending=".nii.gz", **more):
        content = {
            "channel_names": {str(number): f"scan {number}" for number in range(channels)},
            "labels": {"background": 0, "lesion": 1},
            "file_ending": ending,
        }
        (self.folder / "dataset.json").write_text(json.dumps(content | more))

    def refused(self, hide_labels=False):
        """The words with which it is refused."""
        with pytest.raises(DatasetError) as error:
            read_cases(self.folder, hide_labels)
        return str(error.value)


@pytest.fixture
def tiny(tmp_path):
    """Cases a (labelled) and b, one channel."""
    tiny = Tiny(tmp_path / "Dataset001_Tiny")
    tiny.describe()
    tiny.touch("imagesTr/b_0000.nii.gz", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    return tiny


@pytest.fixture
def empty_dataset(tmp_path):
    """Makes one without any case."""

    def make(channels, ending):
        made = Tiny(tmp_path / "Dataset002_Other")
        made.describe(channels, ending)
        return made

    return make


@pytest.fixture
def folder(tiny):
    return tiny.folder
