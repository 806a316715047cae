"""k-means representatives: the middle case of each group of similar ones. Step 0 of TESLA.

numpy and scikit-learn: must not import torch, nnU-Net, or anything of this package but ``errors`` and what is
beside it.
"""

__all__ = ["KMeansRepresentatives"]

from dataclasses import dataclass

import numpy as np

from nnunet_slpt.selection.strategies.base import Candidates, Choice, Strategy
from nnunet_slpt.selection.strategies.clusters import choose_from_groups, group_cases


@dataclass(frozen=True)
class KMeansRepresentatives(Strategy):
    """As many groups as there are labelled cases and budget; of each without a label the case in its middle.

    Candidates and labelled cases are grouped together by k-means. M labelled cases can be in M groups at
    most, so a group is left for each case of the budget. If nothing is labelled, k is the budget. A budget
    that is larger than the number of different cases goes round the groups again.

    References:
        SLPT (arXiv:2308.04911), TESLA's step 0: unsupervised diversity. The paper does not say which.
    """

    name = "kmeans"
    needs = frozenset({"features"})

    def choose(self, candidates: Candidates, budget_cases: int, rng: np.random.Generator) -> Choice:
        """Larger groups first; values are minus the distance to the own group's centre."""
        features, labelled = candidates.features, candidates.labelled_features
        groups = group_cases(features, labelled, len(labelled) + budget_cases, rng)
        chosen = choose_from_groups(groups, -groups.distance, budget_cases)
        sizes = groups.sizes[groups.group[chosen]]
        reasons = tuple(f"In the middle of a group of {size} similar cases" for size in sizes)
        return Choice(tuple(chosen), -groups.distance, reasons)
