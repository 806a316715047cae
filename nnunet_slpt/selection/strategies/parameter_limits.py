"""What a strategy's parameter may be, with an error that says so.

Standard library alone: must not import anything of this package but ``errors``.
"""

__all__ = ["check_number", "check_word"]

import math
from collections.abc import Iterable
from numbers import Integral, Real

from nnunet_slpt.errors import SelectionError, one_of


def check_number(
    name: str, value: object, low: float, high: float = math.inf, *, whole: bool = False, above: bool = False
) -> None:
    """Refuse what is not a number in the range.

    Args:
        name: the parameter's.
        value: what was given.
        low: the lowest value that is allowed.
        high: the highest.
        whole: only whole numbers.
        above: ``low`` itself is not allowed.

    Raises:
        SelectionError: it is not.
    """
    kind: type = Integral if whole else Real
    good = isinstance(value, kind) and not isinstance(value, bool)
    if good and math.isfinite(value) and low <= value <= high and not (above and value == low):  # type: ignore[arg-type, operator]
        return
    limits = f"{'above' if above else 'at least'} {low}" + (f" and at most {high}" if high < math.inf else "")
    raise SelectionError(
        f"the parameter {name} cannot be used: got {value!r}, expected a {'whole ' if whole else ''}number "
        f"{limits}; change it or leave it out"
    )


def check_word(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a word that is not known.

    Raises:
        SelectionError: it is not.
    """
    known = tuple(known)
    if value not in known:
        raise SelectionError(f"{one_of(f'value of the parameter {name}:', value, known)}; use one of these")
