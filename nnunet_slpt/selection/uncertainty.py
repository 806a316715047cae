"""From the predictions of several prompts to how unsure the network is: voxel by voxel, then for a case.

Owns SLPT's equations for the uncertainty. Must not import nnU-Net.
"""

__all__ = [
    "AGGREGATIONS",
    "MEASURES",
    "CaseUncertainty",
    "Near",
    "aggregate",
    "case_uncertainty",
    "voxel_maps",
]

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

MEASURES = ("inter_prompt", "intra_prompt", "entropy")
RIM_VOXELS = 2
TOP_SHARE = 0.005
VOXELS_AT_ONCE = 2**21  # times classes; so that what is computed on the way to the maps needs little memory


@dataclass(frozen=True, eq=False)
class CaseUncertainty:
    """How unsure the network is about one case.

    Args:
        scores: "measure/aggregation" → number, and ``prompt_dice``.
        class_entropy: (C,), mean predictive entropy over the voxels predicted as each foreground class or
            region; NaN where there are none.
    """

    scores: Mapping[str, float]
    class_entropy: np.ndarray


@dataclass(frozen=True, eq=False)
class Near:
    """Voxels that are predicted as something, and a rim around: places in the flat image, ascending.

    Args:
        each: of each class or region that is predicted anywhere.
        foreground: of all of them together.
    """

    each: tuple[Tensor, ...]
    foreground: Tensor

    @classmethod
    def of(cls, masks: Iterable[Tensor], axes: int) -> "Near":
        """Found once for all measures.

        Args:
            masks: (*S) booleans each, what is predicted as a foreground class or region.
            axes: along which the rim lies, the last ones.
        """
        foreground = torch.zeros((), dtype=torch.bool)
        each = []
        for mask in masks:
            if mask.any():
                near = _with_rim(mask, axes)
                foreground = foreground | near
                each.append(_places(near))
        return cls(tuple(each), _places(foreground))


def case_uncertainty(logits: Tensor, regions: bool, axes: int) -> CaseUncertainty:
    """All scores of a case, for every aggregation.

    Args:
        logits: (K, C, *S), one prediction a prompt.
        regions: classes overlap: sigmoid instead of softmax.
        axes: of the network's patch. Slices are as far apart in the grid of a 2D network as in the image, so
            that a rim across them would weigh thick slices differently.
    """
    maps = voxel_maps(logits, regions)
    classes = partial(_masks, maps["segmentations"], logits.shape[1], regions)
    near = Near.of(map(_shown, classes()), axes)
    scores = {
        f"{measure}/{how}": aggregate(maps[measure], near, how)
        for measure in MEASURES
        for how in AGGREGATIONS
    }
    scores["prompt_dice"] = _prompt_dice(masks[1:] for masks in classes())
    class_entropy = torch.stack([maps["entropy"][masks[0]].mean() for masks in classes()])  # NaN of no voxel
    return CaseUncertainty(scores, class_entropy.numpy())


def voxel_maps(logits: Tensor, regions: bool) -> dict[str, Tensor]:
    """What the K predictions say about each voxel.

    With Y_k the K probability maps, Y their mean and H the entropy (for regions the sum of the binary
    entropies), in nats:

    - ``intra_prompt``: mean of H(Y_k), how unsure each prompt is by itself;
    - ``inter_prompt``: mean of KL(Y_k | Y), how far the prompts lie apart. It equals H(Y) - mean H(Y_k), the
      mutual information of prompt and prediction, which others call BALD;
    - ``entropy``: H(Y), their sum.

    Args:
        logits: (K, C, *S).
        regions: classes overlap: sigmoid instead of softmax.

    Returns:
        The three maps (*S), float32; and ``segmentations``, (1 + K, *S) numbers of classes, for regions
        (1 + K, C, *S) booleans: of the mean, then of each prompt.

    References:
        SLPT (arXiv:2308.04911), section 2.3. BALD: Houlsby et al. (arXiv:1112.5745), equation 2.
    """
    flat, grid = logits.flatten(2), logits.shape[2:]
    at_once = max(1, VOXELS_AT_ONCE // logits.shape[1])
    maps: dict[str, Tensor] = {}
    for start in range(0, flat.shape[-1], at_once):
        for name, values in _maps_of(flat[..., start : start + at_once], regions).items():
            if name not in maps:
                maps[name] = values.new_empty(*values.shape[:-1], flat.shape[-1])
            maps[name][..., start : start + at_once] = values
    return {name: values.view(*values.shape[:-1], *grid) for name, values in maps.items()}


def _maps_of(logits: Tensor, regions: bool) -> dict[str, Tensor]:
    """As ``voxel_maps``, of (K, C, voxels)."""
    logits = logits.float()
    probability = logits.sigmoid() if regions else logits.softmax(1)
    mean = probability.mean(0)
    intra = _entropy(probability, regions).mean(0)
    total = _entropy(mean[None], regions)[0]
    inter = (total - intra).clamp_min(0)
    segmentations = torch.cat([_segment(mean[None], regions, 0.5), _segment(logits, regions, 0.0)])
    return {"intra_prompt": intra, "inter_prompt": inter, "entropy": total, "segmentations": segmentations}


def _entropy(probability: Tensor, regions: bool) -> Tensor:
    """(K, C, voxels) to (K, voxels)."""
    of_each: Tensor = torch.special.entr(probability)
    if regions:
        of_each = of_each + torch.special.entr(1 - probability)
    return of_each.sum(1)


def _segment(values: Tensor, regions: bool, threshold: float) -> Tensor:
    """Logits or probabilities (K, C, voxels) to classes (K, voxels); regions lie above a threshold."""
    if regions:
        return values > threshold
    return values.argmax(1).to(torch.uint8 if values.shape[1] <= 256 else torch.int16)


def _masks(segmentations: Tensor, channels: int, regions: bool) -> Iterator[Tensor]:
    """Class by class, for all at once would not fit in memory: (1 + K, *S) booleans of each but background.

    Args:
        segmentations: as of ``voxel_maps``.
        channels: of the logits.
        regions: classes overlap.
    """
    if regions:
        yield from segmentations.unbind(1)
    else:
        yield from (segmentations == number for number in range(1, channels))


def _shown(masks: Tensor) -> Tensor:
    """Where the mean has a class; if it has it nowhere, where any prompt predicts it.

    A lesion that one of three prompts sees is not in their mean, and is what should be looked at.

    Args:
        masks: (1 + K, *S).
    """
    return masks[0] if masks[0].any() else masks[1:].any(0)


def _prompt_dice(classes: Iterable[Tensor]) -> float:
    """1 - Dice between two prompts' segmentations: the mean over pairs and over classes that either has.

    0 if there is one prompt, or no foreground at all.

    Args:
        classes: (K, *S) booleans of each.
    """
    losses = []
    for masks in classes:
        sizes = [int(mask.sum()) for mask in masks]
        for (one, here), (other, there) in combinations(zip(masks, sizes, strict=True), 2):
            if here + there:
                losses.append(1 - 2 * int((one & other).sum()) / (here + there))
    return sum(losses) / len(losses) if losses else 0.0


def _with_rim(mask: Tensor, axes: int) -> Tensor:
    """A mask and all within ``RIM_VOXELS`` of it along the last axes, as a box has it: (*S) booleans."""
    for axis, size in list(enumerate(mask.shape))[-axes:]:
        near = mask.clone()
        for step in range(1, min(RIM_VOXELS, size - 1) + 1):
            near.narrow(axis, step, size - step).logical_or_(mask.narrow(axis, 0, size - step))
            near.narrow(axis, 0, size - step).logical_or_(mask.narrow(axis, step, size - step))
        mask = near
    return mask


def _places(mask: Tensor) -> Tensor:
    return mask.flatten().nonzero()[:, 0]


def aggregate(values: Tensor, near: Near, how: str) -> float:
    """One number for a case.

    Args:
        values: (*S).
        near: where the network predicts something.
        how: one of ``AGGREGATIONS``.
    """
    return float(AGGREGATIONS[how](values.flatten(), near))


def _each_class_and_rim(values: Tensor, near: Near) -> Tensor:
    """The mean over classes of each one's own mean, over the classes that are predicted anywhere.

    So a small lesion counts as much as the large organ around it, as it does in a mean Dice.
    """
    if not near.each:
        return _top(values, near)
    return torch.stack([values[places].mean() for places in near.each]).mean()


def _foreground_and_rim(values: Tensor, near: Near) -> Tensor:
    """Mean over predicted foreground and what lies around it; where no prompt predicts any, as ``top``."""
    return values[near.foreground].mean() if near.each else _top(values, near)


def _top(values: Tensor, near: Near) -> Tensor:
    """Mean over the most uncertain voxels, wherever they lie."""
    count = max(1, round(TOP_SHARE * values.numel()))
    highest = np.partition(values.numpy(), -count)[-count:]  # torch.topk takes four times the memory
    return torch.from_numpy(highest).mean()


# Voxels to a case. A sum favours large structures, a mean over the image drowns small ones.
AGGREGATIONS: Mapping[str, Callable[[Tensor, Near], Tensor]] = {
    "classes": _each_class_and_rim,
    "foreground": _foreground_and_rim,
    "top": _top,
    "mean": lambda values, near: values.mean(),
    "sum": lambda values, near: values.sum(),
}
