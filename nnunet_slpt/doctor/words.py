"""Many cases in few words: how many of all, and the first of them. Pure."""

__all__ = ["listed", "share_in_words"]

from collections.abc import Collection, Sequence

from nnunet_slpt.errors import some

DETAILED = 3  # cases of which the whole problem is told


def share_in_words(names: Collection[str], of: int) -> str:
    """How many images, and which; names are no help where it is all of them.

    Args:
        names: of the images.
        of: so many there are.

    >>> share_in_words(["case_1"], 2), share_in_words(["case_1", "case_2"], 2)
    ('1 of 2 images (case_1)', 'all 2 images')
    """
    return f"all {of} images" if len(names) == of else f"{len(names)} of {of} images ({some(names)})"


def listed(problems: Sequence[tuple[str, str]]) -> str:
    """A line for each of the first cases with its whole problem, then the names of some more.

    Args:
        problems: case and problem.

    >>> print(listed([("a", "cut short"), ("b", "empty"), ("c", "NaN"), ("d", "empty")]))
    <BLANKLINE>
        a: cut short
        b: empty
        c: NaN
        and 1 more: d
    """
    lines = [f"{case}: {problem}" for case, problem in problems[:DETAILED]]
    more = [case for case, _ in problems[DETAILED:]]
    if more:
        lines.append(f"and {len(more)} more: {some(more)}")
    return "".join(f"\n    {line}" for line in lines)
