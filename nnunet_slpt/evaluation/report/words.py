"""Numbers and tables as text: one way to write each.

Standard library alone, beside this package.
"""

__all__ = [
    "NOTHING",
    "amount",
    "markdown_table",
    "number",
    "p_value",
    "panel_title",
    "points",
    "spread",
    "way",
]

from collections.abc import Iterable, Sequence

from nnunet_slpt.evaluation.experiment import Way
from nnunet_slpt.evaluation.means import Spread

NOTHING = "-"


def number(value: float | None, digits: int = 3) -> str:
    """With so many digits after the point; a dash for none.

    >>> number(0.12345), number(None)
    ('0.123', '-')
    """
    return NOTHING if value is None else f"{value:.{digits}f}"


def points(difference: float | None) -> str:
    """A difference of Dice in points, hundredths, with its sign.

    >>> points(0.0123), points(-0.0004), points(0.0)
    ('+1.2', '-0.0', '0.0')
    """
    if difference is None:
        return NOTHING
    sign = "+" if difference > 0 else "-" if difference < 0 else ""
    return f"{sign}{abs(100 * difference):.1f}"


def spread(one: Spread, digits: int = 3) -> str:
    """Mean, standard deviation and how many.

    >>> spread(Spread(0.5, 0.01, 3)), spread(Spread(0.5, None, 1)), spread(Spread(None, None, 0))
    ('0.500 ± 0.010 (3)', '0.500 (1)', '-')
    """
    if one.mean is None:
        return NOTHING
    sd = "" if one.sd is None else f" ± {number(one.sd, digits)}"
    return f"{number(one.mean, digits)}{sd} ({one.n})"


def p_value(p: float | None) -> str:
    """With two digits that say something.

    >>> p_value(0.0312), p_value(0.00001), p_value(None)
    ('0.031', '< 0.001', '-')
    """
    return NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}"


def amount(value: float | None) -> str:
    """A whole number with thousands apart.

    >>> amount(1234567.0)
    '1,234,567'
    """
    return NOTHING if value is None else f"{value:,.0f}"


def way(one: Way) -> str:
    """A method and a strategy.

    >>> way(Way("slpt", "tesla"))
    'slpt + tesla'
    """
    return f"{one.method} + {one.strategy}"


def panel_title(name: str, is_strategy: bool) -> str:
    """What a panel of a figure shows, where all of it has the same strategy or method.

    >>> panel_title("tesla", True), panel_title("slpt", False)
    ('cases chosen by tesla', 'tuned by slpt')
    """
    return f"cases chosen by {name}" if is_strategy else f"tuned by {name}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""A table; its first column is on the left, numbers are on the right.

    >>> print(markdown_table(["a", "b"], [["x|y", "1"]]))
    | a | b |
    | :-- | --: |
    | x\|y | 1 |
    """
    lines = [[_escaped(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, [":--", *["--:"] * (len(header) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
