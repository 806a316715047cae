"""K views of a sample: their shapes, what they leave alone, and that they differ as they should."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from nnunet_slpt.errors import ConfigError
from nnunet_slpt.trainers.views import MultiViewTransform, ViewStrength, view_pipelines, view_strengths

SCALES_3D = [[1, 1, 1], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]
CROP = 24  # the loaded crop is larger than the patch, as nnU-Net's initial patch size is
PATCH = 16


def stock(**changes: Any) -> ComposeTransforms:
    """nnU-Net's training pipeline for 3D patches of 16³ voxels, except as changed."""
    settings: dict[str, Any] = {
        "patch_size": np.array([PATCH] * 3),
        "rotation_for_DA": (-0.5, 0.5),
        "deep_supervision_scales": SCALES_3D,
        "mirror_axes": (0, 1, 2),
        "do_dummy_2d_data_aug": False,
        "foreground_labels": [1, 2],
    }
    return nnUNetTrainer.get_training_transforms(**settings | changes)


def views(count: int = 3, **changes: Any) -> MultiViewTransform:
    return MultiViewTransform(view_pipelines([stock(**changes) for _ in range(count)]))


def crop(dim: int = 3, channels: int = 1, labels: int = 3, masks: int = 1) -> dict[str, torch.Tensor]:
    """What nnU-Net's data loader hands to its transforms: labels int16, -1 outside of the case."""
    generator = torch.Generator().manual_seed(0)
    grid = [CROP] * dim
    blocks = torch.randint(0, labels, (masks, *[CROP // 4] * dim), generator=generator)
    for axis in range(1, dim + 1):
        blocks = blocks.repeat_interleave(4, axis)
    blocks[:, : CROP // 3] = -1
    return {
        "image": torch.randn(channels, *grid, generator=generator),
        "segmentation": blocks.to(torch.int16),
    }


def seeded(transform: BasicTransform, sample: dict[str, torch.Tensor], seed: int = 0) -> dict[str, Any]:
    np.random.seed(seed)  # the generator that batchgeneratorsv2 draws from
    torch.manual_seed(seed)
    result: dict[str, Any] = transform(**sample)
    return result


def levels(segmentation: Any) -> list[torch.Tensor]:
    return segmentation if isinstance(segmentation, list) else [segmentation]


# ---------------------------------------------------------------------- shapes


def test_3d_with_deep_supervision() -> None:
    result = views()(**crop(channels=2))
    assert result["image"].shape == (3, 2, 16, 16, 16)
    assert [tuple(level.shape) for level in result["segmentation"]] == [(3, 1, n, n, n) for n in (16, 8, 4)]
    assert result["segmentation"][0].dtype == torch.int16


def test_3d_without_deep_supervision() -> None:
    assert views(deep_supervision_scales=None)(**crop())["segmentation"].shape == (3, 1, 16, 16, 16)


def test_2d() -> None:
    transform = views(
        patch_size=np.array([16, 16]), mirror_axes=(0, 1), deep_supervision_scales=[[1, 1], [0.5, 0.5]]
    )
    result = transform(**crop(dim=2))
    assert result["image"].shape == (3, 1, 16, 16)
    assert [tuple(level.shape) for level in result["segmentation"]] == [(3, 1, 16, 16), (3, 1, 8, 8)]


def test_dummy_2d() -> None:
    """nnU-Net folds the first axis into the channels; that axis is loaded at its final size."""
    transform = views(do_dummy_2d_data_aug=True)
    sample = {key: value[:, :16] for key, value in crop(channels=2).items()}
    for seed in range(5):
        result = seeded(transform, sample, seed)
        assert result["image"].shape == (3, 2, 16, 16, 16)
        assert result["segmentation"][1].shape == (3, 1, 8, 8, 8)


@pytest.mark.parametrize("ignore_label", [None, 3])
def test_regions(ignore_label: int | None) -> None:
    result = views(regions=[(1, 2), (2,)], ignore_label=ignore_label)(**crop(labels=4))
    channels = 2 if ignore_label is None else 3
    assert [level.shape[1] for level in result["segmentation"]] == [channels] * 3
    assert all(level.dtype == torch.bool for level in result["segmentation"])


def test_cascade() -> None:
    result = views(is_cascaded=True)(**crop(masks=2))
    assert result["image"].shape == (3, 1 + 2, 16, 16, 16)
    assert result["segmentation"][0].shape == (3, 1, 16, 16, 16)
    assert set(result["image"][:, 1:].unique().tolist()) <= {0, 1}


# ---------------------------------------------------------------------- what views leave alone


@pytest.mark.parametrize(
    "changes",
    [{}, {"do_dummy_2d_data_aug": True}, {"use_mask_for_norm": [True]}, {"deep_supervision_scales": None}],
)
def test_the_crop_is_not_changed(changes: dict[str, Any]) -> None:
    transform, sample = views(**changes), crop()
    if changes.get("do_dummy_2d_data_aug"):
        sample = {key: value[:, :16] for key, value in sample.items()}
    before = copy.deepcopy(sample)
    for seed in range(10):
        seeded(transform, sample, seed)
        assert all(torch.equal(sample[key], before[key]) for key in before)


@pytest.mark.parametrize("unknown", [False, True])
def test_a_crop_of_final_size_is_not_changed_either(unknown: bool) -> None:
    """Then cropping gives back the very memory of the input; and an unknown pipeline gets a copy of all."""
    pipelines = view_pipelines([stock(), stock()])
    transform = MultiViewTransform([RandomTransform(p) for p in pipelines] if unknown else pipelines)
    sample = {key: value[:, :16, :16, :16] for key, value in crop().items()}
    before = copy.deepcopy(sample)
    for seed in range(10):
        seeded(transform, sample, seed)
        assert all(torch.equal(sample[key], before[key]) for key in before)


@pytest.mark.parametrize("changes", [{}, {"is_cascaded": True}, {"regions": [(1, 2), (2,)]}])
def test_one_view_is_stock(changes: dict[str, Any]) -> None:
    one, host = views(1, **changes), stock(**changes)
    sample = crop(masks=2 if "is_cascaded" in changes else 1)
    for seed in range(20):
        ours = seeded(one, sample, seed)
        theirs = seeded(host, copy.deepcopy(sample), seed)
        # Sums over a crop's memory and over a copy's are rounded differently.
        torch.testing.assert_close(ours["image"][0], theirs["image"], rtol=1e-4, atol=1e-4)
        for level, expected in zip(ours["segmentation"], theirs["segmentation"], strict=True):
            assert torch.equal(level[0], expected)


@pytest.mark.parametrize("labels", [3, 4])
def test_labels_stay_within_the_label_set(labels: int) -> None:
    """With an ignore label, which is one more value for the augmentation."""
    transform, sample = views(), crop(labels=labels)
    for seed in range(10):
        for level in seeded(transform, sample, seed)["segmentation"]:
            assert set(level.unique().tolist()) <= set(range(labels))


def test_outside_of_the_mask_stays_zero() -> None:
    result = seeded(views(use_mask_for_norm=[True], mirror_axes=()), crop())
    assert (result["image"] == 0).flatten(1).sum(1).min() > 100


def test_the_same_random_state_gives_the_same_views() -> None:
    transform, sample = views(), crop()
    first, second = seeded(transform, sample, 5), seeded(transform, sample, 5)
    torch.testing.assert_close(first["image"], second["image"], rtol=1e-4, atol=1e-4)


def test_views_reach_worker_processes() -> None:
    transform = pickle.loads(pickle.dumps(views()))
    assert transform(**crop())["image"].shape == (3, 1, 16, 16, 16)


# ---------------------------------------------------------------------- how views differ


def probabilities(pipeline: ComposeTransforms) -> dict[str, float]:
    """Each random step's probability, by the step's name; the first of two gamma steps."""
    found: dict[str, float] = {}
    for step in pipeline.transforms:
        if hasattr(step, "apply_probability"):
            found.setdefault(type(step.transform).__name__, step.apply_probability)
        if hasattr(step, "p_rotation"):
            found |= {"rotation": step.p_rotation, "scaling": step.p_scaling}
    return found


def test_view_1_is_untouched() -> None:
    assert repr(view_pipelines([stock() for _ in range(3)])[0]) == repr(stock())


def test_view_2_looks_different_and_view_3_lies_differently() -> None:
    first, second, third = (probabilities(p) for p in view_pipelines([stock() for _ in range(3)]))
    for name, probability in first.items():
        geometric = name in ("rotation", "scaling")
        assert (second if geometric else third)[name] == probability
        assert probability < (third if geometric else second)[name] < 1


def test_ranges_grow_within_reason() -> None:
    _, second, third = view_pipelines([stock() for _ in range(3)])
    inner = {type(s.transform).__name__: s.transform for s in second.transforms if hasattr(s, "transform")}
    assert inner["GaussianNoiseTransform"].noise_variance == pytest.approx((0, 0.14))
    assert inner["GaussianBlurTransform"].blur_sigma == pytest.approx((0.5, 1.4))
    brightness = inner["MultiplicativeBrightnessTransform"].multiplier_range.contrast_range
    assert brightness == pytest.approx((0.668, 1.367), abs=1e-3)
    assert inner["SimulateLowResolutionTransform"].scale == pytest.approx((0.379, 1), abs=1e-3)
    spatial, stock_spatial = third.transforms[0], stock().transforms[0]
    assert spatial.scaling[0] < stock_spatial.scaling[0]
    assert spatial.scaling[1] == stock_spatial.scaling[1]  # shrinking further would need a larger crop
    assert spatial.rotation == stock_spatial.rotation


def test_views_of_a_sample_differ() -> None:
    image = seeded(views(4), crop())["image"]
    assert not any(torch.equal(image[i], image[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 12])
def test_no_two_strengths_are_equal(count: int) -> None:
    strengths = view_strengths(count)
    assert len(strengths) == len(set(strengths)) == count
    assert strengths[0] == ViewStrength()


@pytest.mark.parametrize("missing", ["SpatialTransform", "RandomTransform"])
def test_missing_steps_are_left_out(missing: str) -> None:
    pipelines = [stock() for _ in range(3)]
    for pipeline in pipelines:
        pipeline.transforms = [step for step in pipeline.transforms if type(step).__name__ != missing]
    sample = {key: value[:, :16, :16, :16] for key, value in crop().items()}
    assert MultiViewTransform(view_pipelines(pipelines))(**sample)["image"].shape == (3, 1, 16, 16, 16)


def test_ranges_of_another_kind_stay() -> None:
    """A callable can be anything; its probability still rises."""
    pipelines = [stock(), stock()]
    noise = pipelines[1].transforms[1]
    noise.transform.noise_variance = draw = lambda *_: 0.1
    view_pipelines(pipelines)
    assert noise.transform.noise_variance is draw
    assert noise.apply_probability > 0.1


def test_refuses_one_pipeline_for_all() -> None:
    with pytest.raises(ConfigError, match="pipelines of their own"):
        view_pipelines([stock()] * 3)


def test_refuses_no_pipeline() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        MultiViewTransform([])
