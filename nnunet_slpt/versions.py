"""Which versions made a file, for the records that are kept in it or beside it.

Standard library alone.
"""

__all__ = ["versions_of"]

from importlib.metadata import version

from nnunet_slpt import __version__


def versions_of(*packages: str) -> dict[str, str]:
    """Package → installed version: this package first, then those that decide what the file holds.

    Args:
        packages: names of distributions.
    """
    return {"nnunet_slpt": __version__} | {name: version(name) for name in packages}
