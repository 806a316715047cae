"""Rounds of which a test names what it is about; the rest is nothing in particular."""

from __future__ import annotations

from typing import Any

from nnunet_slpt.selection.rounds import Round

NOTHING: dict[str, Any] = {
    "number": 0,
    "mode": "prospective",
    "seed": 0,
    "strategy": "random",
    "parameters": {},
    "versions": {},
    "model": None,
    "settings": {},
    "validation": (),
    "excluded": (),
    "labelled_before": (),
    "cases": (),
}


def round_of(**about: Any) -> Round:
    """A round that is like ``NOTHING`` but for what is named; its budget is what it chose."""
    one = {**NOTHING, **about}
    return Round(**one, budget_cases=sum(case.chosen for case in one["cases"]))
