"""Where the model lies that the selection looks with."""

import pytest

from nnunet_slpt.errors import CheckpointError, SelectionError
from nnunet_slpt.selection import place
from nnunet_slpt.selection.place import find_checkpoints, find_model_folder

NAME = "checkpoint_final.pth"


@pytest.fixture
def model(tmp_path):
    for file in ("plans.json", "dataset.json", *(f"fold_{fold}/{NAME}" for fold in ("0", "3", "all"))):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"), [(None, ["0", "3"]), (["3"], ["3"]), (["all", "0"], ["all", "0"])]
)
def test_all_numbered_folds_are_taken_unless_some_are_named(model, asked, found):
    assert find_checkpoints(model, asked, NAME) == tuple(model / f"fold_{fold}" / NAME for fold in found)


def test_a_model_of_all_cases_is_taken_where_there_is_no_other(model):
    for fold in ("0", "3"):
        (model / f"fold_{fold}" / NAME).unlink()
    assert find_checkpoints(model, None, NAME) == (model / "fold_all" / NAME,)


def test_a_fold_that_is_not_there_is_named_with_those_that_are(model):
    with pytest.raises(CheckpointError, match=r"no checkpoint_final\.pth of fold 1; it has folds 0, 3, all"):
        find_checkpoints(model, ["0", "1"], NAME)
    with pytest.raises(CheckpointError, match=r"no checkpoint_best\.pth of fold \(any\); it has folds none"):
        find_checkpoints(model, None, "checkpoint_best.pth")


def test_a_folder_that_is_no_model_is_refused(model):
    (model / "plans.json").unlink()
    with pytest.raises(CheckpointError, match=r"is no model folder of nnU-Net: plans\.json missing"):
        find_checkpoints(model, None, NAME)


def test_what_lies_beside_a_folder_that_is_not_there_is_named(tmp_path):
    for name in ("Trainer__Plans__2d", "Trainer__Plans__3d_lowres"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plans.json").touch()
    (tmp_path / "Trainer__Plans__stopped").mkdir()
    with pytest.raises(CheckpointError, match=r"There is Trainer__Plans__2d, Trainer__Plans__3d_lowres:"):
        find_checkpoints(tmp_path / "Trainer__Plans__3d_fullres", None, NAME)


def test_without_nnunets_folder_there_is_no_place_to_look(monkeypatch):
    monkeypatch.delenv("nnUNet_results", raising=False)
    with pytest.raises(SelectionError, match="nnUNet_results is not set"):
        find_model_folder("Dataset001_A", "nnUNetTrainerSLPT", "nnUNetPlans", "3d_fullres")


def test_without_a_configuration_it_is_the_usual_or_the_only_one(tmp_path, monkeypatch):
    def found(configuration=None):
        return find_model_folder("Dataset001_A", "nnUNetTrainerSLPT", "nnUNetPlans", configuration).name

    monkeypatch.setenv("nnUNet_results", str(tmp_path))
    monkeypatch.setattr(place, "get_output_folder", lambda _, *names: str(tmp_path / "__".join(names)))
    names = [f"nnUNetTrainerSLPT__nnUNetPlans__{one}" for one in ("3d_fullres", "2d", "3d_lowres")]
    usual, flat, low = names
    assert found() == usual
    (tmp_path / flat).mkdir()
    (tmp_path / "nnUNetTrainerSLPT__nnUNetPlansOther__3d_lowres").mkdir()
    assert (found(), found("3d_lowres")) == (flat, low)
    (tmp_path / low).mkdir()
    assert found() == usual
