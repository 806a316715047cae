"""ClaSP PE: entropy, class by class, with noise that fades from round to round.

Pure numpy: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is beside it.
"""

__all__ = ["ClaspPE"]

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Floats, Strategy, choose_highest
from nnunet_slpt.selection.strategies.parameter_limits import check_number
from nnunet_slpt.selection.strategies.power_noise import power_noise


@dataclass(frozen=True)
class ClaspPE(Strategy):
    """Class-stratified predictive entropy with scheduled power noise.

    A share of the budget is divided evenly among the foreground classes, what cannot be divided at random.
    Each class takes the cases with the highest entropy where it is predicted. The rest of the budget, and
    what classes with too few cases leave, goes by the entropy of the whole case. All rankings are by
    log entropy + Gumbel / β, and β grows exponentially from the first round after labels to the last.

    Published for patches; this is its form for whole cases. There a class's entropy is the predictive
    entropy weighted with the class's probability, here it is that of the voxels predicted as the class.

    Args:
        class_share: the part of the budget, rounded down, that the classes divide.
        beta_first: β in the first round.
        beta_last: β in the last round and after it.
        rounds: how many rounds with predictions are planned.

    References:
        Lüth et al. (TMLR 2026, arXiv:2601.13677): two thirds of the budget by class, β from 1 to 100.
    """

    class_share: float = 0.66
    beta_first: float = 1.0
    beta_last: float = 100.0
    rounds: int = 5

    name = "clasp_pe"
    needs = frozenset({"predictions"})

    def __post_init__(self) -> None:
        check_number("class_share", self.class_share, 0, 1)
        check_number("beta_first", self.beta_first, 0, above=True)
        check_number("beta_last", self.beta_last, 0, above=True)
        check_number("rounds", self.rounds, 1, whole=True)

    def beta(self, round_number: int) -> float:
        """The exponent of a round; round 1 is the first with predictions, and 0 counts as 1."""
        done = min(max(round_number - 1, 0) / max(self.rounds - 1, 1), 1.0)
        return float(self.beta_first * (self.beta_last / self.beta_first) ** done)

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """The classes' cases first; values are the entropies of whole cases."""
        by_class, entropy = candidates.class_entropy, candidates.scores["entropy"]
        beta = self.beta(candidates.round_number)
        whole = power_noise(entropy, beta, rng)
        chosen: dict[int, str] = {}
        for column, share in self._shares(by_class, budget_cases, rng):
            noisy = power_noise(by_class[:, column], beta, rng)
            name = candidates.classes[column] if candidates.classes else f"structure {column + 1}"
            chosen |= _best_of_the_rest(noisy, share, chosen, f"where {name} is predicted")
        chosen |= _best_of_the_rest(whole, budget_cases - len(chosen), chosen, "in the whole case")
        return Choice(tuple(chosen), entropy.astype(np.float32), tuple(chosen.values()))

    def _shares(self, by_class: Floats, budget_cases: int, rng: np.random.Generator) -> list[tuple[int, int]]:
        """The classes that are predicted anywhere, in random order, with how many cases each may take."""
        columns = rng.permutation(np.flatnonzero(~np.isnan(by_class).all(axis=0)))
        # Rounded first, because 0.29 * 100 is a little less than 29.
        budget = int(round(self.class_share * budget_cases, 9))
        even, left = divmod(budget, max(len(columns), 1))
        return [(int(column), even + (place < left)) for place, column in enumerate(columns)]


def _best_of_the_rest(
    values: NDArray[np.float64], count: int, chosen: dict[int, str], where: str
) -> dict[int, str]:
    """The rows of the highest values that are not NaN and not chosen, each with a reason."""
    left = values.copy()
    left[list(chosen)] = np.nan
    count = min(count, int((~np.isnan(left)).sum()))
    rows = choose_highest(left.astype(np.float32), count)
    return dict.fromkeys(rows, f"Among the least sure predictions {where}, with chance mixed in")
