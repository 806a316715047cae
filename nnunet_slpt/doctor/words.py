"""How many of all, and who, in words."""

__all__ = ["share_in_words"]

from collections.abc import Collection

from nnunet_slpt.errors import some


def share_in_words(names: Collection[str], of: int) -> str:
    """Names are no help where it is all of them.

    Args:
        names: of the images.
        of: so many there are.

    >>> share_in_words(["case_1"], 2), share_in_words(["case_1", "case_2"], 2)
    ('1 of 2 images (case_1)', 'all 2 images')
    """
    return f"all {of} images" if len(names) == of else f"{len(names)} of {of} images ({some(names)})"
