"""Reading checkpoints of every kind, and refusing what is none."""

import argparse
import zipfile

import pytest
import torch

from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.pretrained import read_checkpoint


def test_a_checkpoint_of_nnunet_is_read_without_running_code(save_weights, backbone, labels):
    read = read_checkpoint(save_weights(backbone().state_dict()))
    known = (read.plans["dataset_name"], read.configuration, read.trainer_name)
    assert known == ("Dataset001_Tiny", "3d_fullres", "nnUNetTrainer")
    assert read.labels == labels
    assert "weights" not in repr(read)


def test_a_checkpoint_that_numpy_1_wrote_is_read(save_weights, labels):
    path = save_weights({"a": torch.ones(1)})
    renamed = path.with_name("numpy1.pth")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(renamed, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert b"numpy.core.multiarray" in renamed.read_bytes()
    assert read_checkpoint(renamed).labels == labels


@pytest.mark.parametrize(("axes", "known"), [(None, ()), ((0, 1), (0, 1)), ((0, 1, 2), None)])
def test_mirroring_is_told_where_it_was_not_along_all_axes(save_weights, axes, known):
    heads = {"heads.weights.0": torch.ones(3, 2, 8, 1, 1, 1)}  # of three prompts
    path = save_weights({"encoder.weight": torch.ones(8, 1, 3, 3, 3), **heads})
    assert read_checkpoint(path).mirror_axes is None
    content = torch.load(path, weights_only=False)
    torch.save(content | {"inference_allowed_mirroring_axes": axes}, path)
    assert read_checkpoint(path).mirror_axes == known


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.module."])
def test_names_are_freed_of_wrappers(save_weights, backbone, prefix):
    weights = backbone().state_dict()
    read = read_checkpoint(save_weights({prefix + name: tensor for name, tensor in weights.items()}))
    assert list(read.weights) == list(weights)


def test_a_part_that_is_called_module_keeps_its_name(save_weights):
    read = read_checkpoint(save_weights({"encoder.module.weight": torch.ones(1)}))
    assert list(read.weights) == ["encoder.module.weight"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="only a host without CUDA cannot restore CUDA storages")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_from_a_gpu_is_read_on_a_cpu(save_weights, monkeypatch, zipped):
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    path = save_weights({"a": torch.arange(3.0)}, _use_new_zipfile_serialization=zipped)
    registry = [entry for entry in torch.serialization._package_registry if entry[0] != 19]
    monkeypatch.setattr(torch.serialization, "_package_registry", registry)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=False)
    assert read_checkpoint(path).weights["a"].tolist() == [0, 1, 2]


def test_a_training_outside_nnunet_needs_weights_alone(save, backbone):
    read = read_checkpoint(save({"network_weights": backbone().state_dict()}))
    assert (read.labels, read.plans, read.configuration) == ({}, {}, "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": torch.ones(1)}, "plain state_dict of 1 tensors"),
        ({"pytorch-lightning_version": "2.0", "state_dict": {}}, "PyTorch Lightning"),
        ({"model": {}, "epoch": 3}, "keys model, epoch"),
        ({}, r"keys \(none\)"),
        ({"network_weights": {}}, "keys network_weights"),
        ({"network_weights": {"a": 1}}, "keys network_weights"),
        ([1, 2], "a list"),
        (torch.ones(1), "a Tensor"),
    ],
)
def test_a_file_of_another_program_is_refused(save, content, message):
    with pytest.raises(CheckpointError, match=f"no nnU-Net checkpoint: got .*{message}.*network_weights"):
        read_checkpoint(save(content))


def test_objects_that_could_run_code_are_refused_by_name(save):
    path = save({"network_weights": {"a": torch.ones(1)}, "settings": argparse.Namespace(lr=1)})
    with pytest.raises(CheckpointError, match=r"argparse\.Namespace.*If you trust the file"):
        read_checkpoint(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint .*absent\.pth"):
        read_checkpoint(str(tmp_path / "absent.pth"))


def test_of_a_folder_the_file_inside_is_proposed(save_weights):
    path = save_weights({"a": torch.ones(1)})
    with pytest.raises(CheckpointError, match=r"is a folder.*checkpoint_final\.pth: pass one of these"):
        read_checkpoint(path.parent)


def test_of_an_empty_folder_the_expected_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"is a folder.*for example fold_0/checkpoint_final\.pth"):
        read_checkpoint(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.pth").touch()
    with pytest.raises(CheckpointError, match="0 bytes"):
        read_checkpoint(tmp_path / "empty.pth")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_short_is_refused(save_weights, backbone, share, zipped):
    path = save_weights(backbone().state_dict(), _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"damaged, cut short.*download it again"):
        read_checkpoint(path)


def test_a_file_with_overwritten_bytes_is_refused(save_weights, backbone):
    path = save_weights(backbone().state_dict())
    content = bytearray(path.read_bytes())
    content[100:400] = b"\xff" * 300
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


def test_another_zip_or_text_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    (tmp_path / "text.pth").write_text("hello")
    for name in ("other.pth", "text.pth"):
        with pytest.raises(CheckpointError, match=f"{name}.*cannot be read as a PyTorch checkpoint"):
            read_checkpoint(tmp_path / name)
