"""A campaign's folders: the labels that were paid for, as copies, and no others."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nnunet_slpt.datasets import Case
from nnunet_slpt.simulation.source import Source
from nnunet_slpt.simulation.stage import Stage, link_images

ENDING = ".nii.gz"
ABOUT = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "a": 1},
    "file_ending": ENDING,
    "numTraining": 4,
    "dataset": {"a": {"images": ["elsewhere"], "label": "elsewhere"}},
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    raw = tmp_path / "source" / "Dataset007_Toy"
    cases = {}
    for name in "abcd":
        images = tuple(raw / "imagesTr" / f"{name}_000{channel}{ENDING}" for channel in (0, 1))
        label = raw / "labelsTr" / f"{name}{ENDING}"
        for file in (*images, label):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(file.name)
        cases[name] = Case(name, images, label, labelled=True)
    (raw / "dataset.json").write_text(json.dumps(ABOUT))
    source = Source(raw, cases, pool=("a", "b"), test=("d",))
    shared = tmp_path / "shared"
    link_images(source, shared / "raw" / raw.name)
    plans = shared / "preprocessed" / raw.name / "P.json"
    plans.parent.mkdir(parents=True)
    plans.write_text(json.dumps({"slpt": {"epochs": 9, "prompts": 3}}))
    stage = Stage(tmp_path / "campaign", shared, source, "P")
    stage.set_up({"epochs": 2})
    return stage


def test_images_of_pool_and_test_and_no_label(stage: Stage) -> None:
    seen = sorted(str(path.relative_to(stage.raw)) for path in stage.raw.glob("*/*"))
    assert seen == [
        *(f"imagesTr/{name}_000{channel}{ENDING}" for name in "ab" for channel in (0, 1)),
        *(f"imagesTs/d_000{channel}{ENDING}" for channel in (0, 1)),
    ]
    assert "dataset" not in json.loads((stage.raw / "dataset.json").read_text())


def test_images_that_were_moved_are_linked_anew(stage: Stage, tmp_path: Path) -> None:
    raw = tmp_path / "moved" / stage.dataset
    raw.parent.mkdir()
    stage.source.folder.rename(raw)
    cases = {
        name: replace(case, images=tuple(raw / "imagesTr" / file.name for file in case.images))
        for name, case in stage.source.cases.items()
    }
    link_images(replace(stage.source, folder=raw, cases=cases), stage.shared / "raw" / stage.dataset)
    link = stage.raw / "imagesTr" / f"a_0000{ENDING}"
    assert link.resolve() == raw / "imagesTr" / link.name
    assert link.read_text() == link.name


def test_settings_go_over_those_of_the_plans(stage: Stage) -> None:
    plans = json.loads((stage.preprocessed / "P.json").read_text())
    assert plans == {"slpt": {"epochs": 2, "prompts": 3}}


def test_a_label_comes_as_a_copy_when_it_is_paid_for(stage: Stage) -> None:
    stage.hand_over(["b"])
    stage.hand_over(["b"])
    (label,) = (stage.raw / "labelsTr").iterdir()
    assert label.name == f"b{ENDING}" == label.read_text()
    assert not label.is_symlink()
    label.write_text("changed")
    assert stage.source.cases["b"].label.read_text() == label.name


def test_a_label_that_was_corrected_comes_again(stage: Stage) -> None:
    stage.hand_over(["a", "b"])
    stage.source.cases["b"].label.write_text("corrected")
    stage.hand_over(["a", "b"])
    copies = [(stage.raw / "labelsTr" / f"{name}{ENDING}").read_text() for name in "ab"]
    assert copies == [f"a{ENDING}", "corrected"]


def test_a_label_is_called_after_its_case_wherever_it_lay(stage: Stage, tmp_path: Path) -> None:
    for name in "ab":  # as dataset.json may list them: a folder for each patient
        own = tmp_path / name / f"seg{ENDING}"
        own.parent.mkdir()
        own.write_text(name)
        stage.source.cases[name] = replace(stage.source.cases[name], label=own)
    stage.hand_over(["a", "b"])
    copies = {file.name: file.read_text() for file in (stage.raw / "labelsTr").iterdir()}
    assert copies == {f"a{ENDING}": "a", f"b{ENDING}": "b"}


def test_the_spacing_of_a_tiff_goes_with_it(tmp_path: Path) -> None:
    raw = tmp_path / "source" / "Dataset007_Toy"
    images, labels = raw / "imagesTr", raw / "labelsTr"
    for file in (images / "a_0000.tif", images / "a.json", labels / "a.tif", labels / "a.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{file.parent.name}/{file.name}")
    (raw / "dataset.json").write_text(json.dumps(ABOUT | {"file_ending": ".tif"}))
    case = Case("a", (images / "a_0000.tif",), labels / "a.tif", labelled=True)
    source = Source(raw, {"a": case}, pool=("a",), test=())
    link_images(source, tmp_path / "shared" / "raw" / raw.name)
    (tmp_path / "shared" / "preprocessed" / raw.name).mkdir(parents=True)
    (tmp_path / "shared" / "preprocessed" / raw.name / "P.json").write_text(json.dumps({"slpt": {}}))
    stage = Stage(tmp_path / "campaign", tmp_path / "shared", source, "P")
    stage.set_up({})
    stage.hand_over(["a"])
    for folder, first in ((stage.raw / "labelsTr", "a.json"), (stage.links(["a"]), "a.json")):
        assert sorted(file.name for file in folder.iterdir())[0] == first
    assert (stage.raw / "labelsTr" / "a.json").read_text() == "labelsTr/a.json"
    assert (stage.links(["a"]) / "a.json").read_text() == "imagesTr/a.json"


def test_all_labelled_cases_train(stage: Stage) -> None:
    stage.split(["b", "a"])
    assert json.loads((stage.preprocessed / "splits_final.json").read_text()) == [
        {"train": ["a", "b"], "val": ["a"]}
    ]


def test_only_a_strategy_that_counts_on_labels_is_told_where_they_are(stage: Stage) -> None:
    assert stage.choosing_environment(False)["nnUNet_raw"] == str(stage.raw.parent)
    assert stage.choosing_environment(True)["nnUNet_raw"] == str(stage.source.folder.parent)
    option, file = stage.all_but_pool()
    assert (option, json.loads(Path(file).read_text())) == ("--exclude", ["c", "d"])


def test_links_name_some_cases_alone(stage: Stage) -> None:
    assert sorted(file.name for file in stage.links(["b"]).iterdir()) == [
        f"b_0000{ENDING}",
        f"b_0001{ENDING}",
    ]
    assert sorted(file.name for file in stage.links(["a"]).iterdir()) == [
        f"a_0000{ENDING}",
        f"a_0001{ENDING}",
    ]


def test_after_a_round_the_models_before_are_forgotten(stage: Stage) -> None:
    for number in range(3):
        stage.results(number).mkdir(parents=True)
    stage.forget(1)
    assert [stage.results(number).exists() for number in range(3)] == [False, True, True]
