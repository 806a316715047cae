"""A record of versions names this package, and the others as they are installed."""

from importlib.metadata import version

from nnunet_slpt import __version__
from nnunet_slpt.versions import versions_of


def test_this_package_comes_first() -> None:
    assert [*versions_of("torch", "numpy").items()] == [
        ("nnunet_slpt", __version__),
        ("torch", version("torch")),
        ("numpy", version("numpy")),
    ]
