"""All strategies by name.

Must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["STRATEGIES", "TESLA", "make_strategy", "resolve"]

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nnunet_slpt.errors import SelectionError, one_of
from nnunet_slpt.selection.strategies.base import Strategy
from nnunet_slpt.selection.strategies.clasp_pe import ClaspPE
from nnunet_slpt.selection.strategies.diversity import Diversity
from nnunet_slpt.selection.strategies.foreground_random import ForegroundRandom
from nnunet_slpt.selection.strategies.hybrid import Hybrid
from nnunet_slpt.selection.strategies.kmeans import KMeansRepresentatives
from nnunet_slpt.selection.strategies.power_bald import PowerBald
from nnunet_slpt.selection.strategies.random import Random
from nnunet_slpt.selection.strategies.ranking import Bald, Entropy, PromptDice
from nnunet_slpt.selection.strategies.typiclust import TypiClust
from nnunet_slpt.selection.strategies.uncertainty import Uncertainty

TESLA = "tesla"  # not a strategy but two in tandem: see resolve
THEN = "+"
_TANDEMS = {TESLA: f"{KMeansRepresentatives.name}{THEN}{Hybrid.name}"}
_CLASSES: tuple[type[Strategy], ...] = (
    Diversity,
    KMeansRepresentatives,
    TypiClust,
    Random,
    Uncertainty,
    Entropy,
    Bald,
    PowerBald,
    PromptDice,
    ClaspPE,
    Hybrid,
    ForegroundRandom,
)
STRATEGIES: Mapping[str, type[Strategy]] = {strategy.name: strategy for strategy in _CLASSES}


def resolve(name: str, any_labelled: bool) -> str:
    """The strategy behind a name: of two in tandem, the first while nothing is labelled, then the other.

    Args:
        name: a key of ``STRATEGIES``; two of them, as in ``random+hybrid``; or ``tesla``, which is
            ``kmeans+hybrid``.
        any_labelled: there are labelled cases, so a network can be tuned and asked.

    Raises:
        SelectionError: a name is unknown.

    References:
        SLPT (arXiv:2308.04911), TESLA: tandem selective labelling. Diversity among the uncertain cases is our
        addition; the paper's own is ``kmeans+uncertainty``.
    """
    first, joined, then = _TANDEMS.get(name, name).partition(THEN)
    for one in (first, then) if joined else (first,):
        if one not in STRATEGIES:
            known = one_of("strategy", one, (TESLA, *STRATEGIES))
            raise SelectionError(f"{known}; choose one of these, or two but tesla as FIRST{THEN}SECOND")
    return then if joined and any_labelled else first


def make_strategy(name: str, parameters: Mapping[str, Any]) -> Strategy:
    """A strategy with its parameters.

    Args:
        name: a key of ``STRATEGIES``; ``tesla`` has to be resolved before.
        parameters: by name; those left out have their default.

    Raises:
        SelectionError: the name, a parameter's name or a parameter's value is unknown.
    """
    if name not in STRATEGIES:
        raise SelectionError(f"{one_of('strategy', name, STRATEGIES)}; choose one of these")
    strategy = STRATEGIES[name]
    known = [field.name for field in fields(strategy)]  # type: ignore[arg-type]
    for parameter in parameters:
        if parameter not in known:
            words = one_of(f"parameter of the strategy {name}:", parameter, known or ["none"])
            raise SelectionError(f"{words}; correct it or leave it out")
    return strategy(**parameters)
