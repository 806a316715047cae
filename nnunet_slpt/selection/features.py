"""What an encoder sees in a case, pooled to one vector.

Owns stages, pooling and normalisation of the features. Must not import nnU-Net.
"""

__all__ = ["STAGES", "FeatureSums", "feature_matrix"]

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnunet_slpt.networks.dimensions import average_pool

STAGES = ("all", "deep_half", "deepest")


class FeatureSums:
    """Running sums of each encoder stage's channels over the patches of a case."""

    def __init__(self) -> None:
        self.stages: list[Tensor] = []

    def add(self, stages: Sequence[Tensor], inside: Tensor) -> None:
        """Take in one patch.

        Args:
            stages: features (1, C_s, *S_s) of each stage, finest first; the patch is a multiple of every S_s.
            inside: (1, 1, *patch), 1 in the image and 0 in what it was padded with, which does not count.
        """
        parts = [_sums(stage.float(), inside) for stage in stages]
        self.stages = [a + b for a, b in zip(self.stages, parts, strict=True)] if self.stages else parts

    def mean_and_deviation(self) -> list[NDArray[np.float32]]:
        """(2, C_s) for each stage: mean and standard deviation of each channel over the case."""
        return [_mean_and_deviation(sums.cpu().double().numpy()) for sums in self.stages]


def _sums(stage: Tensor, inside: Tensor) -> Tensor:
    """(3, C): weight, sum, sum of squares."""
    # Not torch's adaptive pooling, which in 3D knows no MPS.
    strides = [size // cells for size, cells in zip(inside.shape[2:], stage.shape[2:], strict=True)]
    weight = average_pool(inside, strides)[0]
    terms = (weight.expand_as(stage[0]), weight * stage[0], weight * stage[0].square())
    return torch.stack([term.flatten(1).sum(1) for term in terms])


def _mean_and_deviation(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    weight, total, squares = sums
    mean = total / weight
    return np.stack([mean, np.sqrt(np.maximum(squares / weight - mean**2, 0))]).astype(np.float32)


def feature_matrix(
    cases: Sequence[Sequence[NDArray[np.float32]]],
    stages: str = "deep_half",
) -> NDArray[np.float32]:
    """One row a case of its channels' means, in which every stage weighs the same.

    Each column has mean 0 and variance 1 over the cases, and is divided by the root of its stage's columns.

    Args:
        cases: for each case (2, C_s) of each stage, as ``FeatureSums`` gives them.
        stages: ``all``, ``deep_half`` or ``deepest``.

    Returns:
        (cases, columns).
    """
    depth = len(cases[0])
    first = {"all": 0, "deep_half": depth // 2, "deepest": depth - 1}[stages]
    blocks = []
    for stage in range(first, depth):
        block = np.stack([case[stage][0] for case in cases]).astype(np.float64)
        block -= block.mean(0)
        block /= np.maximum(block.std(0), 1e-6) * block.shape[1] ** 0.5
        blocks.append(block)
    return np.concatenate(blocks, 1).astype(np.float32)
