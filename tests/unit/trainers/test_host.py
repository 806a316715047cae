"""Closing the gaps in -pretrained_weights, tried with nnU-Net's own functions and a stand-in trainer."""

from pathlib import Path

import pytest
import torch
from nnunetv2.run.load_pretrained_weights import load_pretrained_weights
from nnunetv2.run.run_training import maybe_load_checkpoint
from torch import nn

from nnunet_slpt.trainers.host import keep_to_requested_threads, map_cuda_storages_to_cpu, requested_weights

no_gpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason="with CUDA the storages go where they came from"
)


class Trainer:
    """Asks for the requested file in the two places from which nnU-Net calls a trainer."""

    was_initialized = False
    network = nn.Module()

    def __init__(self, output_folder=None):
        self.output_folder = str(output_folder)
        self.seen = "nothing asked"

    def initialize(self):
        self.seen = requested_weights()

    def load_checkpoint(self, file):
        self.initialize()


@pytest.fixture
def weights_from_gpu(tmp_path, monkeypatch):
    """A checkpoint whose storages are tagged as those of a GPU."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save({"network_weights": {"weight": torch.ones(1, 2)}}, tmp_path / "gpu.pth")
    return tmp_path / "gpu.pth"


@pytest.fixture
def fresh_registry(monkeypatch):
    """PyTorch's entries alone, whatever other tests have registered."""
    stock = [entry for entry in torch.serialization._package_registry if entry[0] != 19]
    monkeypatch.setattr(torch.serialization, "_package_registry", stock)
    map_cuda_storages_to_cpu.cache_clear()
    yield stock
    map_cuda_storages_to_cpu.cache_clear()


@no_gpu
def test_nnunet_alone_cannot_load_weights_from_a_gpu(weights_from_gpu, fresh_registry):
    with pytest.raises(RuntimeError, match="CUDA"):
        load_pretrained_weights(nn.Linear(2, 1, bias=False), weights_from_gpu)


@no_gpu
def test_nnunet_loads_weights_from_a_gpu_after_the_registration(weights_from_gpu, fresh_registry):
    network = nn.Linear(2, 1, bias=False)
    map_cuda_storages_to_cpu()
    load_pretrained_weights(network, weights_from_gpu, verbose=False)
    assert network.weight.tolist() == [[1, 1]]


def test_registering_twice_is_registering_once(fresh_registry):
    before = len(fresh_registry)
    map_cuda_storages_to_cpu()
    map_cuda_storages_to_cpu()
    assert len(fresh_registry) == before + 1


@no_gpu
@pytest.mark.parametrize(
    ("location", "kept"), [("cuda:0", True), ("cuda", True), ("xla:0", False), ("mps", False)]
)
def test_only_cuda_storages_are_kept_on_the_cpu(fresh_registry, location, kept):
    map_cuda_storages_to_cpu()
    _, tag, restore = next(entry for entry in fresh_registry if entry[0] == 19)
    storage = torch.ones(1).untyped_storage()
    assert (restore(storage, location) is storage) == kept
    assert tag(storage) is None


def test_with_a_gpu_nothing_changes(fresh_registry, monkeypatch):
    map_cuda_storages_to_cpu()
    restore = next(entry for entry in fresh_registry if entry[0] == 19)[2]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert restore(torch.ones(1).untyped_storage(), "cuda:0") is None


def test_storages_on_the_cpu_load_as_ever(fresh_registry, tmp_path):
    map_cuda_storages_to_cpu()
    torch.save(torch.ones(2), tmp_path / "cpu.pth")
    assert torch.load(tmp_path / "cpu.pth").tolist() == [1, 1]


def test_a_trainer_learns_of_the_requested_weights(tmp_path):
    trainer, file = Trainer(), tmp_path / "pretrained.pth"
    torch.save({"network_weights": {}}, file)
    maybe_load_checkpoint(trainer, False, False, str(file))
    assert trainer.seen == file


def test_without_the_flag_nothing_is_requested(tmp_path):
    trainer = Trainer(tmp_path)
    maybe_load_checkpoint(trainer, False, False)
    trainer.initialize()
    assert trainer.seen is None


@pytest.mark.parametrize(
    ("continues", "validates", "requested"),
    [(True, False, None), (False, True, None), (False, True, "other.pth")],
)
def test_a_run_that_loads_its_own_checkpoint_requests_nothing(tmp_path, continues, validates, requested):
    (tmp_path / "checkpoint_final.pth").touch()
    trainer = Trainer(tmp_path)
    maybe_load_checkpoint(trainer, continues, validates, requested)
    assert trainer.seen is None


def test_another_function_of_that_name_is_not_nnunets():
    def maybe_load_checkpoint(pretrained_weights_file, continue_training=False, validation_only=False):
        return requested_weights()

    assert maybe_load_checkpoint(Path("other.pth")) is None


def test_a_second_copy_of_the_training_script_is_recognised(tmp_path):
    source = Path(maybe_load_checkpoint.__code__.co_filename).read_text()
    script = {"__name__": "second_copy"}
    exec(compile(source, "run_training.py", "exec"), script)
    trainer, file = Trainer(), tmp_path / "pretrained.pth"
    torch.save({"network_weights": {}}, file)
    script["maybe_load_checkpoint"](trainer, False, False, str(file))
    assert trainer.seen == file


@pytest.mark.parametrize(
    ("said", "threads"), [("1", 1), ("2", 2), ("0", 3), ("", 3), ("2,1", 3), ("-1", 3), (None, 3)]
)
@pytest.mark.usefixtures("three_threads")
def test_threads_are_those_of_omp_num_threads(monkeypatch, said, threads):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    keep_to_requested_threads()
    assert torch.get_num_threads() == threads
