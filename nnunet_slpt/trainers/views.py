"""K views of each sample, one for each prompt: nnU-Net's augmentation, each time with another emphasis.

Owns what the augmentations DA_k are, and how nnU-Net's data loader gets K samples for one. Changes parameters
of pipelines that nnU-Net has built; builds none itself. Must not import the networks, the losses or nnU-Net.

References:
    SLPT (arXiv:2308.04911), section 2.2: Y_k = Head_k(M(DA_k(X), P_k)). The paper does not say what DA_k is.
"""

__all__ = ["MultiViewTransform", "ViewStrength", "view_pipelines", "view_strengths"]

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

from nnunet_slpt.errors import ConfigError

_FULL = 2.0  # a step that nnU-Net takes with probability 0.2 is taken with 0.49


@dataclass(frozen=True)
class ViewStrength:
    """How much more than stock a view is augmented; two zeros are stock.

    With strength s, a random step has 1 + s chances to happen instead of one, and its range reaches 1 + s / 5
    times as far from "no change" as nnU-Net's.

    Args:
        appearance: noise, blur, brightness, contrast, low resolution and gamma.
        geometry: rotation and scaling.
    """

    appearance: float = 0.0
    geometry: float = 0.0


def view_strengths(count: int) -> list[ViewStrength]:
    """What sets K views apart; no two are equal.

    The first is stock. The second changes how the image looks, the third where things are and how large: what
    scanners do to a scan and what bodies do. Prompts thus train under regimes that differ in kind. From the
    fourth on both kinds, appearance and geometry take turns at a half of the strength, then at a third, ….

    >>> view_strengths(4)[1:]  # doctest: +NORMALIZE_WHITESPACE
    [ViewStrength(appearance=2.0, geometry=0.0),
     ViewStrength(appearance=0.0, geometry=2.0),
     ViewStrength(appearance=1.0, geometry=1.0)]
    """
    strengths = [ViewStrength()]
    for k in range(1, count):
        strength = _FULL / (1 + k // 3)
        strengths.append(ViewStrength(strength * (k % 3 != 2), strength * (k % 3 != 1)))
    return strengths[:count]


def view_pipelines(stock: Sequence[ComposeTransforms]) -> list[ComposeTransforms]:
    """Turn K stock pipelines into the K augmentations DA_k; see :func:`view_strengths` for how they differ.

    Only the probabilities and ranges of random steps change. Cropping, mirroring, dummy-2D, masks, cascades,
    regions and deep supervision stay nnU-Net's, and so does the reach of rotations and of shrinking: the crop
    that nnU-Net loads is as large as these need. A step that the pipelines do not have is left out.

    Args:
        stock: K results of ``nnUNetTrainer.get_training_transforms``, each freshly built; they are changed.

    Returns:
        The same pipelines; the first one untouched.

    Raises:
        ConfigError: two of them are one and the same object.
    """
    if len({id(pipeline) for pipeline in stock}) < len(stock):
        raise ConfigError(
            f"views need pipelines of their own: got one pipeline several times among {len(stock)}, expected "
            "each to be built anew; call get_training_transforms once for each prompt"
        )
    for pipeline, strength in zip(stock, view_strengths(len(stock)), strict=True):
        for step in getattr(pipeline, "transforms", ()):
            _turn_up(step, _APPEARANCE, strength.appearance)
            _turn_up(step, _GEOMETRY, strength.geometry)
    return list(stock)


class MultiViewTransform(BasicTransform):
    """Applies each of K pipelines to the same crop and stacks the results on a new first axis.

    nnU-Net's data loader (training/dataloading/data_loader.py, generate_train_batch) stacks whatever shape a
    transform returns, so a batch has images (B, K, C, *S) and, for each level of deep supervision,
    segmentations (B, K, C', *S_level).

    Args:
        pipelines: K transforms that give the same shapes.

    Raises:
        ConfigError: there is no pipeline.
    """

    def __init__(self, pipelines: Iterable[BasicTransform]) -> None:
        super().__init__()
        self.pipelines = list(pipelines)
        if not self.pipelines:
            raise ConfigError("views need at least one pipeline, got none; give one for each prompt")

    def apply(self, data_dict: dict[str, Any], **params: Any) -> dict[str, Any]:
        """The K views.

        Args:
            data_dict: image (C, *S) and segmentation (1, *S); their memory is left as it is.
            params: none are used.

        Returns:
            Image (K, C, *S), segmentation (K, C', *S), or a list of these from fine to coarse.
        """
        views = [_view(pipeline, data_dict) for pipeline in self.pipelines]
        return {key: _stacked([view[key] for view in views]) for key in views[0]}


# These never write to the memory they are given, but may return a part of it.
_READ_ONLY = {"Convert3DTo2DTransform", "SpatialTransform", "Convert2DTo3DTransform"}


def _view(pipeline: BasicTransform, source: Mapping[str, Any]) -> dict[str, Any]:
    """One view of the source, whose memory is not changed.

    nnU-Net's intensity transforms, its mask and RemoveLabelTransform write in place. The copy waits until the
    crop has its final size, which without rotation and scaling is a quarter of the memory and less.
    """
    data = dict(source)
    if type(pipeline) is not ComposeTransforms:  # nothing is known of what it does with its steps
        return dict(pipeline(**_own(data, source)))
    steps = list(pipeline.transforms)
    while steps and type(steps[0]).__name__ in _READ_ONLY:
        data = steps.pop(0)(**data)
    data = _own(data, source)
    for step in steps:
        data = step(**data)
    return data


def _own(data: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """The data, with a copy of each tensor that lies in the source's memory."""
    lent = {_memory(value) for value in source.values() if isinstance(value, torch.Tensor)}
    return {
        key: value.clone() if isinstance(value, torch.Tensor) and _memory(value) in lent else value
        for key, value in data.items()
    }


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _stacked(views: list[Any]) -> Any:
    """K tensors as one; K lists of tensors, one for each level of deep supervision, as one list."""
    if isinstance(views[0], (list, tuple)):
        return [torch.stack(level) for level in zip(*views, strict=True)]
    return torch.stack(views)


# ---------------------------------------------------------------------- how the random steps are turned up


def _likelier(probability: Any, strength: float) -> Any:
    return 1 - (1 - probability) ** (1 + strength)


def _further(bounds: Any, strength: float) -> Any:
    """Of amounts, where 0 is no change: a larger maximum."""
    return _with_bounds(bounds, lambda low, high: (low, high * _reach(strength)))


def _wider(bounds: Any, strength: float) -> Any:
    """Of factors, where 1 is no change: both ends further from it, on a logarithmic scale."""
    return _with_bounds(bounds, lambda low, high: (low ** _reach(strength), high ** _reach(strength)))


def _closer(bounds: Any, strength: float) -> Any:
    """Of SpatialTransform's factors, where more means smaller objects: larger objects, but not smaller."""
    return _with_bounds(bounds, lambda low, high: (low ** _reach(strength), high))


def _reach(strength: float) -> float:
    return 1 + strength / 5


def _with_bounds(bounds: Any, change: Callable[[float, float], tuple[float, float]]) -> Any:
    """Changes a pair of positive numbers, or the one in a BGContrast; what is neither stays as it is."""
    if isinstance(bounds, (tuple, list)) and len(bounds) == 2 and min(bounds) >= 0:
        return change(*bounds)
    if hasattr(bounds, "contrast_range"):
        changed = copy.copy(bounds)
        changed.contrast_range = _with_bounds(bounds.contrast_range, change)
        return changed
    return bounds


_Knobs = Mapping[str, Mapping[str, Callable[[Any, float], Any]]]

# By name, so that a transform that moves or goes leaves the others working; tests/contract/test_views_host.py
# shows that the installed host has them all. "apply_probability" is in the RandomTransform around a step.
_APPEARANCE: _Knobs = {
    "GaussianNoiseTransform": {"apply_probability": _likelier, "noise_variance": _further},
    "GaussianBlurTransform": {"apply_probability": _likelier, "blur_sigma": _further},
    "MultiplicativeBrightnessTransform": {"apply_probability": _likelier, "multiplier_range": _wider},
    "ContrastTransform": {"apply_probability": _likelier, "contrast_range": _wider},
    "SimulateLowResolutionTransform": {"apply_probability": _likelier, "scale": _wider},
    "GammaTransform": {"apply_probability": _likelier, "gamma": _wider},
}
_GEOMETRY: _Knobs = {
    "SpatialTransform": {"p_rotation": _likelier, "p_scaling": _likelier, "scaling": _closer},
}


def _turn_up(step: BasicTransform, knobs: _Knobs, strength: float) -> None:
    if not strength:
        return
    inner = getattr(step, "transform", step)
    for name, change in knobs.get(type(inner).__name__, {}).items():
        for owner in (step, inner):
            if hasattr(owner, name):
                setattr(owner, name, change(getattr(owner, name), strength))
                break
