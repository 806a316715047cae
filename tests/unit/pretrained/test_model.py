"""Model folders and zips: what is found in them, and what is said where nothing can be."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from small_models import MODEL_NAME, about, plans_of, write_model, zipped

from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.pretrained import model_folder, read_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "results", plans_of(), about())


def weights_of(file: Path) -> object:
    return torch.load(file, weights_only=False)["network_weights"]["encoder.stages.0.0.convs.0.conv.weight"]


def test_a_folder_tells_all_about_its_model(model: Path) -> None:
    found = read_model(model)
    assert (found.name, found.configuration, found.trainer_name) == (
        MODEL_NAME,
        "3d_fullres",
        "nnUNetTrainer",
    )
    assert found.plans == plans_of()
    assert found.dataset_json == about()
    assert found.pretrained.path == model / "fold_all/checkpoint_final.pth"
    assert not found.zipped


def test_a_zip_tells_the_same_and_its_checkpoint_is_the_file(model: Path, tmp_path: Path) -> None:
    there, packed = read_model(model), read_model(zipped(model, tmp_path / "model"))
    assert packed.zipped
    assert (packed.name, packed.checkpoint, packed.plans) == (there.name, there.checkpoint, there.plans)
    assert packed.checkpoint_bytes() == there.checkpoint_bytes()
    assert all(torch.equal(w, packed.pretrained.weights[n]) for n, w in there.pretrained.weights.items())


def test_a_folder_around_one_model_is_enough(model: Path) -> None:
    assert read_model(model.parent).name == MODEL_NAME


def test_nnunet_is_given_the_folder_inside(model: Path, tmp_path: Path) -> None:
    assert model_folder(model) == model_folder(model.parent) == model_folder(tmp_path / "results") == model
    shutil.copytree(model, model.parent / "nnUNetTrainer__nnUNetPlans__2d")
    assert model_folder(model.parent, "3d_fullres") == model
    with pytest.raises(CheckpointError, match="holds 2 models"):
        model_folder(model.parent)


def test_a_zip_is_told_how_it_becomes_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.zip").touch()
    with pytest.raises(CheckpointError, match="install it with nnUNetv2_install_pretrained_model_from_zip"):
        model_folder(tmp_path / "model.zip")


def test_several_models_are_named(model: Path) -> None:
    shutil.copytree(model, model.parent / "nnUNetTrainer__nnUNetPlans__2d")
    with pytest.raises(CheckpointError, match=r"holds 2 models.*__2d.*__3d_fullres.*-c CONFIGURATION"):
        read_model(model.parent)


def test_where_the_configuration_does_not_choose_it_is_not_named(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, model.parent / "nnUNetTrainer__nnUNetPlans__2d")
    shutil.copytree(model, model.parent / "nnUNetTrainerLong__nnUNetPlans__3d_fullres")
    with pytest.raises(CheckpointError, match=r"holds 3 models.*-c CONFIGURATION\."):
        read_model(model.parent)
    with pytest.raises(
        CheckpointError,
        match=r"2 models of 3d_fullres; there is nnUNetTrainerLong\S+, nnUNetTrainer__\S+__3d_fullres\. .*"
        r"the folder of one of them\.",
    ):
        read_model(model.parent, configuration="3d_fullres")
    with pytest.raises(CheckpointError, match=r"0 models of 3d_lowres; there are only nnUNetTrainerLong"):
        read_model(model.parent, configuration="3d_lowres")


def test_models_of_one_name_are_told_by_their_datasets(model: Path) -> None:
    other = model.parent.with_name("Dataset009_Other")
    shutil.copytree(model.parent, other)
    with pytest.raises(CheckpointError, match="holds 2 models; there is") as error:
        read_model(other.parent)
    assert all(f"{folder.name}/{model.name}" in str(error.value) for folder in (model.parent, other))


def test_a_fold_is_told_how_it_is_named(model: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"no model in .*fold_all;.* Pass -m {model} -f all\."):
        read_model(model / "fold_all")


def test_the_configuration_chooses_among_several(model: Path) -> None:
    shutil.copytree(model, model.parent / "nnUNetTrainer__nnUNetPlans__2d")
    assert read_model(model.parent, configuration="3d_fullres").name == MODEL_NAME


def test_another_configuration_is_refused(model: Path) -> None:
    with pytest.raises(CheckpointError, match=r"trained with 3d_fullres, expected 2d"):
        read_model(model, configuration="2d")


def test_the_final_checkpoint_comes_first_then_the_best(model: Path) -> None:
    final = model / "fold_all/checkpoint_final.pth"
    shutil.copy(final, final.with_name("checkpoint_best.pth"))
    shutil.copytree(model / "fold_all", model / "fold_0")
    assert read_model(model).checkpoint == "fold_all/checkpoint_final.pth"
    final.unlink()
    assert read_model(model).checkpoint == "fold_0/checkpoint_final.pth"
    assert read_model(model, fold="all").checkpoint == "fold_all/checkpoint_best.pth"
    assert read_model(model, checkpoint="checkpoint_best.pth").checkpoint == "fold_all/checkpoint_best.pth"


def test_no_checkpoint(model: Path) -> None:
    shutil.rmtree(model / "fold_all")
    with pytest.raises(CheckpointError, match=r"no fold_X/checkpoint_final.pth.*got no checkpoint at all"):
        read_model(model)


def test_a_missing_fold_is_told_with_what_is_there(model: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no fold_3/.*got fold_all/checkpoint_final.pth.*-f and -chk"):
        read_model(model, fold="3")


def test_files_that_are_missing_are_taken_from_the_checkpoint(model: Path) -> None:
    (model / "plans.json").unlink()
    (model / "dataset.json").unlink()
    assert read_model(model).plans == plans_of()
    assert read_model(model).dataset_json == about()


def test_what_neither_file_nor_checkpoint_holds_is_named(model: Path) -> None:
    (model / "plans.json").unlink()
    file = model / "fold_all/checkpoint_final.pth"
    content = torch.load(file, weights_only=False)
    torch.save({"network_weights": content["network_weights"]}, file)
    with pytest.raises(CheckpointError, match=r"lacks plans\.json"):
        read_model(model)


def test_plans_that_are_no_json(model: Path) -> None:
    (model / "plans.json").write_text(json.dumps(plans_of())[:-9])
    with pytest.raises(CheckpointError, match=r"plans\.json in .* is no JSON"):
        read_model(model)


def test_half_a_zip(model: Path, tmp_path: Path) -> None:
    file = zipped(model, tmp_path / "model")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=r"cannot be read as a zip: it is damaged, cut short"):
        read_model(file)


def test_a_zip_damaged_in_the_middle(model: Path, tmp_path: Path) -> None:
    file = zipped(model, tmp_path / "model")
    with zipfile.ZipFile(file) as archive:
        packed = next(one for one in archive.infolist() if one.filename.endswith(".pth"))
    content = bytearray(file.read_bytes())
    middle = packed.header_offset + packed.compress_size // 2
    content[middle : middle + 64] = bytes(64)
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"cannot be read as a zip"):
        read_model(file)


def test_a_zip_whose_checkpoint_is_none_names_the_zip(model: Path, tmp_path: Path) -> None:
    (model / "fold_all/checkpoint_final.pth").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match=r"fold_all/checkpoint_final\.pth in .*model\.zip"):
        read_model(zipped(model, tmp_path / "model"))


def test_a_zip_without_a_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(CheckpointError, match=r"There is no model in"):
        read_model(tmp_path / "other.zip")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no .*gone"):
        read_model(tmp_path / "gone")


def test_a_checkpoint_instead_of_its_folder(model: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"-m {model} -f all -chk checkpoint_final\.pth"):
        read_model(model / "fold_all/checkpoint_final.pth")


def test_a_relative_path(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    assert read_model(Path(MODEL_NAME)).pretrained.path.is_file()
