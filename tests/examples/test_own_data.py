"""The demo on one's own data: the folder is understood, linked and left alone, or refused clearly."""

import json
from pathlib import Path

import pytest
from own_data import choose, find_task, link_dataset
from steps import DemoError

MODEL = "pretrained/Dataset009_Before/nnUNetTrainer__nnUNetPlans{}__3d_fullres"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "task"
    dataset = root / "Dataset008_After"
    for case in "abcd":
        for path in (
            f"imagesTr/{case}_0000.nii.gz",
            f"imagesTr/{case}_0001.nii.gz",
            f"labelsTr/{case}.nii.gz",
        ):
            (dataset / path).parent.mkdir(parents=True, exist_ok=True)
            (dataset / path).write_text(path)
    about = {"numTraining": 4, "file_ending": ".nii.gz", "labels": {"background": 0, "organ": 1}}
    (dataset / "dataset.json").write_text(json.dumps(about))
    (root / "split.json").write_text(json.dumps({"pre": [], "pool": ["c", "a", "b"], "test": ["d"]}))
    for name in ("Middle", "Small"):
        (root / MODEL.format(name) / "fold_all").mkdir(parents=True)
        for file in ("plans.json", "dataset.json", "fold_all/checkpoint_final.pth"):
            (root / MODEL.format(name) / file).write_text("{}")
    return root


def test_the_small_network_is_found(folder: Path) -> None:
    task = find_task(folder)
    assert task.dataset.name == "Dataset008_After"
    assert (task.pool, task.test) == (("c", "a", "b"), ("d",))
    assert task.pretrained == folder / MODEL.format("Small")


def test_the_choice_depends_on_the_seed_alone() -> None:
    cases = [f"case{number}" for number in range(50)]
    assert choose(cases, 5, 0) == choose(cases[::-1], 5, 0) != choose(cases, 5, 1)
    assert len(set(choose(cases, 5, 0))) == 5
    with pytest.raises(DemoError, match="51 labelled cases are asked for, the pool has 50"):
        choose(cases, 51, 0)


def test_cases_are_linked_and_the_source_is_left_alone(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    linked = link_dataset(find_task(folder), ["a", "c"], ["a", "c"], tmp_path / "raw")
    names = sorted(str(path.relative_to(linked)) for path in linked.rglob("*.nii.gz"))
    assert names == [
        *(f"imagesTr/{case}_000{channel}.nii.gz" for case in "ac" for channel in (0, 1)),
        "imagesTs/d_0000.nii.gz",
        "imagesTs/d_0001.nii.gz",
        "labelsTr/a.nii.gz",
        "labelsTr/c.nii.gz",
        "labelsTs/d.nii.gz",
    ]
    assert all((linked / name).is_symlink() for name in names)
    assert json.loads((linked / "dataset.json").read_text())["numTraining"] == 2
    assert before == {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_another_choice_leaves_no_case_of_the_old_one(folder: Path, tmp_path: Path) -> None:
    link_dataset(find_task(folder), ["a"], ["a"], tmp_path / "raw")
    linked = link_dataset(find_task(folder), ["b"], ["b"], tmp_path / "raw")
    assert [path.name for path in (linked / "labelsTr").iterdir()] == ["b.nii.gz"]


def test_a_dataset_that_is_not_the_demos_is_left_alone(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(DemoError, match="is the data itself"):
        link_dataset(find_task(folder), ["a"], ["a"], folder)
    other = tmp_path / "raw" / "Dataset008_After" / "imagesTr" / "scan_0000.nii.gz"
    other.parent.mkdir(parents=True)
    other.write_text("precious")
    with pytest.raises(ValueError, match="without a mark that the demo made it"):
        link_dataset(find_task(folder), ["a"], ["a"], tmp_path / "raw")
    assert other.read_text() == "precious"
    assert before == {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("Dataset008_After/dataset.json", r"has no Dataset\*/dataset.json"),
        ("split.json", "has no split.json"),
        (MODEL.format("Small") + "/plans.json", r"has no plans\.json"),
        ("Dataset008_After/labelsTr/d.nii.gz", r"has no d\.nii\.gz, which split\.json asks for"),
    ],
)
def test_what_is_missing_is_named_with_what_was_expected(
    folder: Path, tmp_path: Path, missing: str, told: str
) -> None:
    (folder / missing).unlink()
    with pytest.raises(DemoError, match=told + r".*Expected DatasetXXX_Name/"):
        link_dataset(find_task(folder), ["a"], ["a"], tmp_path / "raw")


def test_a_folder_without_network_or_split_is_refused(folder: Path) -> None:
    for file in folder.glob("pretrained/*/*/fold_all/*"):
        file.unlink()
    with pytest.raises(DemoError, match="has no pretrained network"):
        find_task(folder)
    (folder / "split.json").write_text("[]")
    with pytest.raises(DemoError, match='no cases under "pool" and "test"'):
        find_task(folder)


def test_a_test_case_that_may_be_labelled_is_refused(folder: Path) -> None:
    (folder / "split.json").write_text(json.dumps({"pool": ["a", "b", "c"], "test": ["d", "c", "b"]}))
    with pytest.raises(DemoError, match=r'2 cases under both "pool" and "test", expected none.*: b, c\.'):
        find_task(folder)


@pytest.mark.parametrize("labels", [{"organ": [1, 2], "lesion": [2]}, {"organ": [1, 2], "ignore": 3}, {}])
def test_a_dataset_without_a_class_to_report_is_refused_before_it_is_trained(
    folder: Path, labels: dict[str, object]
) -> None:
    described = folder / "Dataset008_After" / "dataset.json"
    described.write_text(json.dumps({"labels": {"background": 0, **labels}}))
    with pytest.raises(DemoError, match=r"dataset\.json has no class with one label of its own"):
        find_task(folder)
