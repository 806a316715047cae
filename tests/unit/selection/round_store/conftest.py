"""A dataset folder as it is before the first round, and what is in it."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

NAME = "rounds_on_disk"


@pytest.fixture(scope="session")
def disk():
    """The module beside this one, which is a program as well."""
    specification = importlib.util.spec_from_file_location(NAME, Path(__file__).with_name(f"{NAME}.py"))
    module = importlib.util.module_from_spec(specification)
    sys.modules[NAME] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch):
    """Waiting for the disk is most of the time here, and nothing here can tell the difference."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def dataset(tmp_path, disk):
    """Of nnU-Net, with a split that somebody made and files that are no business of ours."""
    folder = tmp_path / "Dataset 004_Ü"
    (folder / "nnUNetPlans_3d_fullres").mkdir(parents=True)
    (folder / "nnUNetPlans_3d_fullres" / "case.b2nd").write_bytes(b"data")
    (folder / "splits_final.json").write_text(disk.BEFORE)
    return folder


@pytest.fixture
def tree():
    """Path → bytes of every file, but for the lock."""

    def read(folder):
        return {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file() and file.name != ".lock"
        }

    return read
