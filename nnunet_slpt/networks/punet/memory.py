"""How much memory a training step of a PUNet takes, from its measures alone: no network is built.

Owns the estimate; what is done about it is the planners' business.
"""

__all__ = ["GIGABYTES_AT_LEAST", "gigabytes", "numbers_kept", "numbers_within"]

import math
from collections.abc import Sequence

from nnunet_slpt.networks.punet.attention import heads_for
from nnunet_slpt.networks.punet.body import windows_of
from nnunet_slpt.networks.punet.plan import BodyPlan
from nnunet_slpt.networks.punet.tokens import TOKENS

GIGABYTES_AT_LEAST = 1.0  # CUDA and its libraries, and the weights, however small the patch is
BYTES_OF_A_NUMBER = 4  # single precision: attention scores stay in it in a mixed one, and they are most of it
BYTES = 1e9  # of a gigabyte


def numbers_kept(plan: BodyPlan, tokens: int = TOKENS) -> int:
    """How many numbers the forward pass keeps for the backward pass, for one image and one class.

    A tensor counts once, where it is made. For each voxel of the grid that a layer works on:

    - convolution, normalisation, activation: C that are normalised and C that the activation returns, which
      the next layer takes; C and nothing else where the activation comes after a sum; the sum itself, C; and
      C_in that are averaged before a convolution beside a stride.
    - upsampling: the 2C that it puts beside each other.
    - attention, twice a stage, for each voxel of its windows, padding included: C put in order for the
      normalisation, C normalised, C queries, C keys, C values and C results; its share in the keys and values
      of T tokens, 2C·T/N in a window of N voxels; and heads · (N + T) scores.
    - head: C directions, and four numbers a token.

    Left out is what does not grow with the patch (weights, biases of pairs), and the self-supervised pass,
    which sees no more voxels and has no tokens. Classes come one after the other, so their number does not
    matter; a frozen body keeps less. A tuning with ``jointly`` has all of them in one pass, and is not
    counted: it keeps the tokens' part for each.

    Args:
        plan: the body's measures; its patch is the image.
        tokens: T.
    """
    features, voxels = plan.features_per_stage, [math.prod(grid) for grid in plan.grids]
    windows = windows_of(plan)
    stages = range(len(features))
    kept = (plan.input_channels + 5 * features[0]) * voxels[0]
    for s in stages:
        above = max(s - 1, 0)
        attention = 2 * _attention(features[s], plan.grids[s], windows[s], tokens)
        kept += _bottleneck(features[above], features[s], voxels[above], voxels[s]) + attention
        if s < stages[-1]:  # the decoder's stage on the same grid
            kept += 2 * features[s] * voxels[s]
            kept += _bottleneck(2 * features[s], features[s], voxels[s], voxels[s]) + attention
    return kept + (features[0] + 4 * tokens) * voxels[0]


def gigabytes(plan: BodyPlan, batch_size: int, tokens: int = TOKENS) -> float:
    """The GPU memory that a training step takes, about, in gigabytes of 1e9 bytes.

    Args:
        plan: the body's measures, with the patch.
        batch_size: patches of a step.
        tokens: of a class.
    """
    return GIGABYTES_AT_LEAST + batch_size * numbers_kept(plan, tokens) * BYTES_OF_A_NUMBER / BYTES


def numbers_within(memory: float) -> float:
    """How many numbers all patches of a batch may keep.

    Args:
        memory: in gigabytes, more than ``GIGABYTES_AT_LEAST``.
    """
    return (memory - GIGABYTES_AT_LEAST) * BYTES / BYTES_OF_A_NUMBER


def _bottleneck(incoming: int, channels: int, before: int, after: int) -> int:
    """Of a residual block of three convolutions, from so many voxels to so many."""
    narrow = max(1, channels // 2)
    pooled = incoming * after if before != after else 0
    projected = channels * after if incoming != channels else 0
    return 2 * narrow * (before + after) + 2 * channels * after + pooled + projected


def _attention(channels: int, grid: Sequence[int], window: Sequence[int], tokens: int) -> int:
    in_window = math.prod(window)
    windows = math.prod(math.ceil(size / width) for size, width in zip(grid, window, strict=True))
    scores = heads_for(channels) * in_window * (in_window + tokens)
    return windows * (6 * channels * in_window + 2 * channels * tokens + scores)
