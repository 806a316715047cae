"""How many cases may be chosen.

Pure: must not import anything of this package but ``errors``, nor any third party.
"""

__all__ = ["parse_budget"]

import math
import re
from fractions import Fraction

from nnunet_slpt.errors import SelectionError

# Not float(), which also takes "nan", "1e9" and "1_000".
WHOLE = re.compile(r"[0-9]{1,15}")
PERCENTAGE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?%")
EXPECTED = "expected a whole number of cases from 1 on, as in -n 5, or a percentage of the pool, as in -n 5%"


def parse_budget(text: str, pool_cases: int, left: int | None = None) -> int:
    """The number of cases that a budget stands for.

    A percentage is rounded to whole cases, a half up, and gives at least one.

    Args:
        text: a whole number, or a percentage of the pool such as ``5%`` or ``2.5%``.
        pool_cases: how many cases a percentage is of.
        left: how many of them may still be chosen; ``None`` for all.

    Raises:
        SelectionError: it is neither, or not above zero, or more than there are.

    >>> parse_budget("5%", 90)
    5
    """
    text = text.strip()
    if percentage := PERCENTAGE.fullmatch(text):
        # Exact: 2.5 % of 100 is a half more than 2, not a little less.
        share = Fraction(percentage[1]) / 100
        cases = max(1, math.floor(share * pool_cases + Fraction(1, 2)))
    elif WHOLE.fullmatch(text):
        share, cases = Fraction(0), int(text)
    else:
        raise SelectionError(f"The budget is {text!r}, {EXPECTED}.")
    if cases == 0 or (percentage and share == 0):
        raise SelectionError(f"The budget is {text}: nothing would be chosen; {EXPECTED}.")
    left = pool_cases if left is None else left
    if cases > left or share > 1:
        stands_for = f", {cases} of {pool_cases} cases" if 0 < share <= 1 else ""
        raise SelectionError(
            f"The budget is {text}{stands_for}, but there are only {left} cases to choose from. Pass {left} "
            "or less."
        )
    return cases
