"""What every test may use: the real data where there is some, and the markers that follow from facts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# nnU-Net reads it once, when it is imported: one process for each of its pools.
os.environ.setdefault("nnUNet_def_n_proc", "1")

HERE = Path(__file__).parent

# Before torch is imported: on networks this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder and by the fixtures they use, so that no one has to remember it."""
    for item in items:
        if item.path.is_relative_to(HERE / "integration"):
            item.add_marker("integration")
        if "data_folder" in getattr(item, "fixturenames", ()):
            item.add_marker("data")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the real tasks ``hippocampus`` and ``heart``; skips the test where there is none."""
    named = os.environ.get("NNUNET_SLPT_DATA")
    folder = Path(named) if named else HERE.parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: set NNUNET_SLPT_DATA, or put it in {folder}")
    return folder


@pytest.fixture
def three_threads() -> Iterator[None]:
    """As many threads in torch as nnU-Net takes on a machine with three cores."""
    import torch  # not above: OMP_NUM_THREADS has to be set first

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)
