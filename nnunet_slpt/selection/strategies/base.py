"""What every strategy is given, and what it answers.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors``.
"""

__all__ = ["Candidates", "Choice", "Strategy", "choose_highest"]

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def _no_rows() -> Floats:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The cases that may be chosen, one row each, in ascending order of their names.

    Arrays that a strategy does not need may be left out; they have no rows then.

    Args:
        names: N identifiers, ascending, so that a tie broken by position is broken by name.
        features: (N, F), pooled features of the encoder; for strategies that need ``features``.
        labelled_features: (M, F), the same of the cases that are labelled already, or chosen; M may be 0.
        scores: (N,) each; a case's uncertainty by measure, higher where the network is less sure:
            ``inter_prompt``, ``intra_prompt``, ``entropy``, ``prompt_dice`` (1 - Dice between the K
            predictions); for strategies that need ``predictions``.
        class_entropy: (N, C), predictive entropy over the voxels predicted as each foreground class; NaN
            where a case has none of it; for strategies that need ``predictions``.
        foreground_voxels: (N,), counted in the labels; for strategies that need ``labels``.
        round_number: 0 for the first selection.
        classes: C names, of the columns of ``class_entropy``; for reasons in words.
    """

    names: tuple[str, ...]
    features: Floats = field(default_factory=_no_rows)
    labelled_features: Floats = field(default_factory=_no_rows)
    scores: Mapping[str, Floats] = field(default_factory=dict)
    class_entropy: Floats = field(default_factory=_no_rows)
    foreground_voxels: Floats = field(default_factory=_no_rows)
    round_number: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Choice:
    """A strategy's answer.

    Args:
        chosen: rows of the chosen cases, the most wanted first; as many as the budget, none twice.
        values: (N,), by what the strategy ranks all candidates, higher where it wants a case more; before
            chance is mixed in.
        reasons: one for each chosen case, in words that a clinician reads.
    """

    chosen: tuple[int, ...]
    values: Floats
    reasons: tuple[str, ...]


class Strategy(ABC):
    """Chooses cases from arrays; knows no files and no network.

    A subclass is a frozen dataclass whose fields are its parameters. Its answer depends on the arguments
    alone: not on the order of files, on the number of workers or on any global random state.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]  # of "features", "predictions", "labels"

    @abstractmethod
    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """Choose ``budget_cases`` of the candidates; ``1 <= budget_cases <= N`` has been checked before.

        Args:
            candidates: with what ``needs`` names.
            budget_cases: how many.
            rng: the one source of randomness.
        """

    def parameters(self) -> dict[str, Any]:
        """Its parameters by name, in JSON's types."""
        return {name: getattr(self, name) for name in getattr(self, "__dataclass_fields__", {})}


def choose_highest(values: Floats, budget_cases: int) -> Sequence[int]:
    """Rows of the highest values, in descending order; of equal ones the first, NaN last."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")
    return [int(row) for row in order[:budget_cases]]
