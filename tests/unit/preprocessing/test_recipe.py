"""The key of preprocessed data: another one if a fact that decides it differs, however it is written."""

import json

import pytest

from nnunet_slpt.datasets import read_dataset_json
from nnunet_slpt.preprocessing import recipe as module
from nnunet_slpt.preprocessing.recipe import read_recipes


def key(desk):
    """Of the one recipe, from the files as they are."""
    (recipe,) = read_recipes(desk.home, "nnUNetPlans", None, read_dataset_json(desk.raw))
    return recipe.key


def test_another_version_of_nnunet(desk, monkeypatch):
    before = key(desk)
    monkeypatch.setattr(module, "version", lambda package: {"nnunetv2": "2.0"}[package])
    assert key(desk) != before


@pytest.mark.parametrize(
    "entries",
    [
        {"image_reader_writer": "NibabelIO"},
        {"transpose_forward": [2, 0, 1]},
        {"foreground_intensity_properties_per_channel": {"0": {"mean": 100.0, "std": 20.5}}},
    ],
    ids=str,
)
def test_other_plans(desk, entries):
    before = key(desk)
    desk.change(desk.plans, **entries)
    assert key(desk) != before


KWARGS = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


@pytest.mark.parametrize(
    "entries",
    [
        {"spacing": [1.0, 1.0, 1.5]},
        {"normalization_schemes": ["CTNormalization"]},
        {"use_mask_for_norm": [True]},
        {"resampling_fn_data": "resample_torch_fornnunet"},
        {"resampling_fn_data_kwargs": KWARGS},
        {"resampling_fn_seg": "resample_torch_fornnunet"},
        {"resampling_fn_seg_kwargs": KWARGS},
    ],
    ids=str,
)
def test_another_configuration(desk, entries):
    before = key(desk)
    desk.change_configuration(**entries)
    assert key(desk) != before


REGIONS = {"background": 0, "whole": [1, 2], "core": [2]}


@pytest.mark.parametrize(
    "entries",
    [
        {"labels": {"background": 0, "liver": 1}},
        {"labels": REGIONS | {"core": [1]}},
        {"labels": {name: REGIONS[name] for name in ("background", "core", "whole")}},
        {"labels": REGIONS, "regions_class_order": [2, 1]},
    ],
    ids=str,
)
def test_other_labels_or_another_order_of_regions(desk, entries):
    about = {"labels": REGIONS, "regions_class_order": [1, 2]}
    desk.change(desk.raw / "dataset.json", **about)
    before = key(desk)
    desk.change(desk.raw / "dataset.json", **{**about, **entries})
    assert key(desk) != before


def turned(value):
    """The same, with the entries of every object in another order."""
    return {name: turned(value[name]) for name in reversed(value)} if isinstance(value, dict) else value


def test_the_same_plans_in_another_order(desk):
    before, plans = key(desk), json.loads(desk.plans.read_text())
    desk.plans.write_text(json.dumps(turned(plans)))
    assert key(desk) == before
