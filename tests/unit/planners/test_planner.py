"""The files that are written, and that a refused call writes none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.plan_and_preprocess_api import plan_experiment_dataset
from small_models import zipped

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import ConfigError, DatasetError, PlanningError, SLPTError
from nnunet_slpt.planners import SLPTPlanner, Wishes
from nnunet_slpt.planners.draft import draft_plans
from nnunet_slpt.planners.report import next_commands

WRITTEN = {
    "nnUNetSLPTPlans.json",
    "nnUNetSLPTPlans_report.json",
    "dataset.json",
    "dataset_fingerprint.json",
}


def planned(place: Any, **options: Any) -> dict[str, Any]:
    SLPTPlanner(200, **{"processes": 1, **options}).plan_experiment()
    return content(place, f"{options.get('plans_name', 'nnUNetSLPTPlans')}.json")


def content(place: Any, name: str) -> Any:
    return json.loads((place.preprocessed / name).read_text())


@pytest.mark.parametrize("labelled", [4, 2, 0])
def test_everything_that_preprocessing_and_training_read(place: Any, labelled: int) -> None:
    place.dataset(labelled=labelled)
    model = place.model()
    plans = planned(place, model=model)
    assert place.files() == WRITTEN
    assert plans["dataset_name"] == "Dataset200_Target"
    assert content(place, "dataset.json") == json.loads(
        (place.folder / "raw/Dataset200_Target/dataset.json").read_text()
    )
    config = PromptConfig.from_plans(plans)
    assert config.pretrained_checkpoint == str(model / "fold_all/checkpoint_final.pth")
    assert config.pretrained_sha256 is not None


CHOOSE = "nnunet_slpt_select -d Dataset200_Target -n {}"
COLLECT = "nnunet_slpt_collect -d Dataset200_Target -i FOLDER"
BY_FEATURES = f"{CHOOSE} -strategy kmeans -m {{}}"
SPLIT = [{"train": ["case_0", "case_1"], "val": ["case_2"]}]


@pytest.mark.parametrize(
    ("labelled", "split", "first", "fold"),
    [
        (0, None, [f"{CHOOSE} -m {{}}", COLLECT], "all"),
        (0, SPLIT, [COLLECT], "all"),
        (1, None, [BY_FEATURES, COLLECT], "all"),
        (2, SPLIT, [], "all"),
        (3, SPLIT, [], "0"),
        (4, None, [], "all"),
        (5, None, [], "0"),
        (5, {"no": "split"}, [], "all"),
    ],
)
def test_the_next_commands_are_those_that_work(
    place: Any, labelled: int, split: Any, first: list[str], fold: str
) -> None:
    place.dataset(cases=5, labelled=labelled)
    if split:
        place.preprocessed.mkdir()
        (place.preprocessed / "splits_final.json").write_text(json.dumps(split))
    model = place.model()
    *before, preprocess, train = next_commands(draft_plans(place.request(model)))
    assert before == [command.format(5 - labelled, model) for command in first]
    assert preprocess == "nnunet_slpt_preprocess -d Dataset200_Target -p nnUNetSLPTPlans"
    assert (
        train
        == f"nnUNetv2_train Dataset200_Target 3d_fullres {fold} -tr nnUNetTrainerSLPT -p nnUNetSLPTPlans"
    )


def test_it_is_a_planner_that_nnunets_own_function_runs(place: Any) -> None:
    place.dataset()
    model = place.model()
    assert issubclass(SLPTPlanner, ExperimentPlanner)

    def planner(dataset: int, **options: Any) -> SLPTPlanner:
        return SLPTPlanner(dataset, model=model, processes=1, **options)

    plans, name = plan_experiment_dataset(
        200, planner, gpu_memory_target_in_gb=8, overwrite_plans_name="Mine"
    )
    assert name == "Mine"
    assert content(place, "Mine.json") == plans


def test_a_fingerprint_that_is_there_stays(place: Any) -> None:
    place.dataset()
    model = place.model()
    planned(place, model=model)
    there = content(place, "dataset_fingerprint.json") | {"spacings": [[1.0, 1.0, 9.0]] * 4}
    (place.preprocessed / "dataset_fingerprint.json").write_text(json.dumps(there))
    planned(place, model=model, plans_name="Again")
    assert content(place, "dataset_fingerprint.json") == there


def test_a_fingerprint_without_labels_is_made_again_when_there_are_some(place: Any) -> None:
    place.dataset(labelled=0)
    model = place.model()
    planned(place, model=model)
    labels = place.folder / "raw/Dataset200_Target/labelsTr"
    other = place.folder / "other"
    from small_models import about, write_raw

    write_raw(other, about())
    for file in (other / "labelsTr").iterdir():
        file.rename(labels / file.name)
    planned(place, model=model, overwrite=True)
    assert content(place, "dataset_fingerprint.json")["foreground_intensity_properties_per_channel"]


def test_plans_that_are_there_are_refused_and_stay(place: Any) -> None:
    place.dataset()
    model = place.model()
    planned(place, model=model)
    before = {name: (place.preprocessed / name).read_bytes() for name in place.files()}
    with pytest.raises(
        PlanningError, match=r"plans of this name already.*nnUNetSLPTPlans\.json.*--overwrite"
    ):
        planned(place, model=model, epochs=3)
    assert {name: (place.preprocessed / name).read_bytes() for name in place.files()} == before


def test_overwriting_keeps_the_old_plans_and_says_so(place: Any) -> None:
    place.dataset()
    model = place.model()
    old = planned(place, model=model)
    new = planned(place, model=model, epochs=3, overwrite=True)
    assert new["slpt"]["epochs"] == 3
    assert content(place, "before_nnUNetSLPTPlans.json") == old
    assert place.files() == {*WRITTEN, "before_nnUNetSLPTPlans.json"}
    assert "is replaced" in content(place, "nnUNetSLPTPlans_report.json")["findings"][0]["text"]


def test_another_dataset_json_that_is_there_is_kept(place: Any) -> None:
    place.dataset()
    place.preprocessed.mkdir()
    (place.preprocessed / "dataset.json").write_text('{"labels": {}}')
    planned(place, model=place.model())
    assert content(place, "before_dataset.json") == {"labels": {}}


def test_regions_in_another_order_are_another_dataset_json(place: Any) -> None:
    place.dataset()
    model = place.model()
    planned(place, model=model)
    there = content(place, "dataset.json")
    turned = there | {"labels": dict(reversed(there["labels"].items()))}
    (place.folder / "raw/Dataset200_Target/dataset.json").write_text(json.dumps(turned))
    planned(place, model=model, overwrite=True)
    assert [*content(place, "dataset.json")["labels"]] == [*turned["labels"]]


@pytest.mark.parametrize("folds", [[{"train": ["case_1"], "val": ["case_0"]}], []])
def test_a_split_that_is_in_use_stays_whatever_came_with_the_dataset(place: Any, folds: Any) -> None:
    place.dataset()
    came = [{"train": ["case_0"], "val": ["case_1"]}]
    (place.folder / "raw/Dataset200_Target/splits_final.json").write_text(json.dumps(came))
    model = place.model()
    planned(place, model=model)
    assert content(place, "splits_final.json") == came
    (place.preprocessed / "splits_final.json").write_text(json.dumps(folds))
    planned(place, model=model, overwrite=True)
    assert content(place, "splits_final.json") == folds
    found = content(place, "nnUNetSLPTPlans_report.json")["findings"]
    assert [one["level"] for one in found if one["subject"] == "split"] == ["note"]


@pytest.mark.parametrize(("axes", "recorded"), [(None, []), ((0, 1), [0, 1]), ((0, 1, 2), None)])
def test_a_model_that_was_not_mirrored_is_not_tuned_so(place: Any, axes: Any, recorded: Any) -> None:
    place.dataset()
    model = place.model()
    file = model / "fold_all/checkpoint_final.pth"
    known = torch.load(file, weights_only=False) | {"inference_allowed_mirroring_axes": axes}
    torch.save(known, file)
    assert planned(place, model=model)["slpt"]["mirror_axes"] == recorded
    found = {one["subject"] for one in content(place, "nnUNetSLPTPlans_report.json")["findings"]}
    assert ("mirroring" in found) == (recorded is not None)


@pytest.mark.parametrize(
    ("labelled", "options", "told"), [(0, {}, True), (0, {"batch": 3}, False), (4, {}, False)]
)
def test_a_batch_that_waits_for_labels_is_told(place: Any, labelled: int, options: Any, told: bool) -> None:
    place.dataset(labelled=labelled, shape=(40, 40, 40))
    planned(place, model=place.model(), wishes=Wishes(None, options.get("batch")))
    found = {one["subject"] for one in content(place, "nnUNetSLPTPlans_report.json")["findings"]}
    assert ("batch" in found) == told


def test_the_checkpoint_of_a_zip_is_put_beside_the_plans(place: Any) -> None:
    place.dataset()
    model = place.model()
    plans = planned(place, model=zipped(model, place.folder / "model"))
    file = Path(plans["slpt"]["pretrained_checkpoint"])
    assert file.parent == place.preprocessed / "slpt_pretrained"
    assert file.read_bytes() == (model / "fold_all/checkpoint_final.pth").read_bytes()
    assert planned(place, model=model, plans_name="B")["slpt"]["pretrained_sha256"] in plans["slpt"].values()


def test_the_stem_is_recorded_only_where_it_is_needed(place: Any) -> None:
    place.dataset(("T1", "T2"))
    one = planned(place, model=place.model(), stem="average")
    assert one["slpt"]["stem"] == "average"
    assert len(one["configurations"]["3d_fullres"]["normalization_schemes"]) == 2
    place.folder /= "other"
    two = planned(place, model=place.model(("T1", "T2")), stem="average", plans_name="Two")
    assert two["slpt"]["stem"] is None


def test_labels_as_regions_are_noted_in_the_settings(place: Any) -> None:
    place.dataset(labels={"background": 0, "all": [1, 2], "organ": 1}, more={"regions_class_order": [2, 1]})
    assert planned(place, model=place.model())["slpt"]["region_based"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"stem": None}, PlanningError, "has 2 .*--stem"),
        ({"stem": "repeat", "wishes": Wishes((17, 16, 16))}, PlanningError, "multiples of 4 4 4"),
        ({"stem": "repeat", "epochs": 0}, ConfigError, "epochs"),
        ({"stem": "repeat", "plans_name": "a/b"}, PlanningError, "plans name is 'a/b'"),
        ({"stem": "repeat", "plans_name": "a__b"}, PlanningError, "plans name is 'a__b'"),
        ({"stem": "repeat", "configuration": "2d"}, SLPTError, "expected 2d"),
    ],
)
def test_a_refused_call_writes_nothing(place: Any, options: Any, error: type[Exception], words: str) -> None:
    place.dataset(("T1", "T2"))
    with pytest.raises(error, match=words):
        planned(place, model=place.model(), **options)
    assert place.files() == set()


def test_an_image_without_its_second_channel(place: Any) -> None:
    place.dataset(("T1", "T2"))
    (place.folder / "raw/Dataset200_Target/imagesTr/case_1_0001.nii.gz").unlink()
    with pytest.raises(DatasetError, match="case_1_0001"):
        planned(place, model=place.model(("T1", "T2")))
    assert place.files() == set()


def test_plans_of_another_network_than_the_checkpoints(place: Any) -> None:
    place.dataset()
    model = place.model()
    plans = json.loads((model / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 8, 12]
    (model / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(PlanningError, match="features per stage: got 4, 8, 8, expected 4, 8, 12"):
        planned(place, model=model)
    assert place.files() == set()
