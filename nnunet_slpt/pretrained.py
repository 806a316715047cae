"""A pretrained nnU-Net, read-only: its weights, labels and plans, and how they enter a prompted network.

Must not import anything of this package but ``errors``, ``mismatch`` and ``stem``. Never writes a file.
"""

__all__ = [
    "FrozenNetwork",
    "Pretrained",
    "base_hash",
    "load_backbone",
    "pretrained_heads",
    "read_checkpoint",
]

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from nnunet_slpt.errors import ArchitectureError, CheckpointError
from nnunet_slpt.label_outputs import Labels
from nnunet_slpt.mismatch import describe_mismatch, list_differences
from nnunet_slpt.stem import adapted_stem, stem_name

# What DistributedDataParallel and torch.compile put in front of every name.
WRAPPERS = ("module.", "_orig_mod.")
HEADS = "decoder.seg_layers."
MIRRORING = "inference_allowed_mirroring_axes"  # None: along none
ADDED = {"prompts", "updaters", "scale_shift", "input_prompt", "heads"}  # by a prompt tuning, of any settings
WHICH_FILE = "Pass the file that nnU-Net writes, for example fold_0/checkpoint_final.pth."


class FrozenNetwork(Protocol):
    """What ``load_backbone`` asks of a prompted network."""

    def frozen_state(self) -> dict[str, Tensor]:
        """The frozen tensors themselves (no copies), each once."""

    def tuned_state(self) -> dict[str, Tensor]:
        """The tuned tensors, each once."""

    def state_dict(self) -> dict[str, Any]:
        """All tensors under all their names."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """What is used of an nnU-Net checkpoint.

    All but ``path`` and ``weights`` is empty if the file was written by a training outside nnU-Net.

    Args:
        path: the file.
        weights: name → tensor on the CPU, names free of ``module.`` and ``_orig_mod.``.
        plans: the plans it was trained with.
        dataset_json: the ``dataset.json`` it was trained with.
        configuration: name of the configuration, such as ``3d_fullres``.
        trainer_name: class that trained it.
        mirror_axes: axes of the patch along which it was mirrored in training; ``None`` if along all, or
            if nobody knows.
    """

    path: Path
    weights: Mapping[str, Tensor] = field(repr=False)
    plans: Mapping[str, Any] = field(repr=False)
    dataset_json: Mapping[str, Any] = field(repr=False)
    configuration: str
    trainer_name: str
    mirror_axes: tuple[int, ...] | None = None

    @property
    def labels(self) -> Labels:
        """The labels it was trained for."""
        labels: Labels = self.dataset_json.get("labels", {})
        return labels

    @property
    def dataset_name(self) -> str:
        """The dataset it was trained on."""
        return str(self.plans.get("dataset_name", ""))


def read_checkpoint(path: str | Path) -> Pretrained:
    """Read a checkpoint of nnU-Net, from whatever device, onto the CPU.

    Args:
        path: a ``checkpoint_*.pth``.

    Raises:
        CheckpointError: no such file, unreadable, or not an nnU-Net checkpoint.
    """
    path = _existing_file(Path(path))
    content = _load(path)
    weights = _network_weights(content, path)
    weights = {_bare(name): tensor for name, tensor in weights.items()}
    training = content.get("init_args") or {}
    return Pretrained(
        path=path,
        weights=weights,
        plans=training.get("plans", {}),
        dataset_json=training.get("dataset_json", {}),
        configuration=str(training.get("configuration", "")),
        trainer_name=str(content.get("trainer_name", "")),
        mirror_axes=_mirror_axes(content, weights),
    )


def _mirror_axes(content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> tuple[int, ...] | None:
    if MIRRORING not in content:
        return None
    known = tuple(content[MIRRORING] or ())
    # The heads of K prompts are one tensor, with an axis more.
    axes = max(tensor.ndim for name, tensor in weights.items() if name.split(".")[0] not in ADDED) - 2
    return None if len(known) == axes else known


def load_backbone(network: FrozenNetwork, pretrained: Pretrained, stem: str | None = None) -> None:
    """Copy the pretrained weights into the frozen part of a prompted network, all of them or none.

    Heads are left out, and so is what a prompt tuning has added if that wrote the checkpoint.

    Args:
        network: a ``PromptedUNet`` of any K and any number of classes.
        pretrained: weights of the same U-Net.
        stem: ``repeat`` or ``average`` the first layer's weights where the network has another number of
            input channels; ``None`` refuses that.

    Raises:
        ArchitectureError: a frozen tensor is missing or has another shape, or a weight would be left over.
    """
    frozen = network.frozen_state()
    added = ADDED | {name.split(".")[0] for name in network.tuned_state()}
    expected = {name: tuple(tensor.shape) for name, tensor in frozen.items()}
    # nnU-Net registers a tensor under up to four names; those that are no one's first are not compared.
    again = set(network.state_dict()) - set(expected)
    weights = {
        name: tensor
        for name, tensor in pretrained.weights.items()
        if name not in again and not name.startswith(HEADS) and name.split(".")[0] not in added
    }
    first = stem_name(expected)
    if stem is not None and first in weights:
        weights[first] = adapted_stem(weights[first], expected[first][1], stem)
    got = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != got:
        raise ArchitectureError(_does_not_fit(expected, got, pretrained))
    with torch.no_grad():
        for name, tensor in frozen.items():
            tensor.copy_(weights[name])


def pretrained_heads(pretrained: Pretrained) -> list[tuple[Tensor, Tensor]]:
    """Weight (classes, C, 1, 1(, 1)) and bias (classes,) of every decoder stage's head, in running order.

    Empty if the checkpoint has none, as one that a prompt tuning wrote.
    """
    stages = sorted(
        {int(name.removeprefix(HEADS).split(".")[0]) for name in pretrained.weights if HEADS in name}
    )
    weights = pretrained.weights
    return [(weights[f"{HEADS}{stage}.weight"], weights[f"{HEADS}{stage}.bias"]) for stage in stages]


def base_hash(frozen_state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes; the same on every device and in every order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(frozen_state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # numpy knows no bfloat16, so the bytes are viewed as such while still a tensor.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _existing_file(path: Path) -> Path:
    if path.is_dir():
        inside = sorted(path.rglob("checkpoint_*.pth"))
        hint = f"It contains {', '.join(map(str, inside[:3]))}: pass one of these." if inside else WHICH_FILE
        raise CheckpointError(f"{path} is a folder, expected a checkpoint file. {hint}")
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}. {WHICH_FILE}")
    if path.stat().st_size == 0:
        raise CheckpointError(f"The checkpoint {path} is empty (0 bytes). Copy or download it again.")
    return path


def _load(path: Path) -> Any:
    # Weights alone, although nnU-Net itself reads with weights_only=False (run/load_pretrained_weights.py):
    # pretrained files are passed from hand to hand, and a full unpickling runs whatever code they carry.
    with torch.serialization.safe_globals(_numpy_numbers()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can make the reader raise anything
            raise CheckpointError(_unreadable(path, error)) from error


def _numpy_numbers() -> list[Any]:
    """What nnU-Net's checkpoints hold beside tensors and plain Python: scores and losses as numpy numbers."""
    numbers = {np.dtype(code) for code in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"}
    # numpy 1 wrote the function under the first name, numpy 2 does under the second.
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    return [np.dtype, *{type(number) for number in numbers}, *map(_numpy_scalar, modules)]


def _numpy_scalar(module: str) -> Any:
    """The function of numpy's own, under the name that a file knows it by."""
    restore: Any = np.float32(0).__reduce__()[0]

    def scalar(*arguments: Any) -> Any:
        return restore(*arguments)

    # PyTorch compares these with the file's.
    scalar.__module__, scalar.__qualname__ = module, "scalar"
    return scalar


def _unreadable(path: Path, error: Exception) -> str:
    if foreign := _foreign_objects(path):
        return (
            f"{path} holds Python objects ({', '.join(foreign[:4])}), expected tensors, numbers and text as "
            "nnU-Net writes them: reading such objects can run code. If you trust the file, load it with "
            "torch.load(..., weights_only=False) and save 'network_weights' and 'init_args' anew."
        )
    return (
        f"{path} ({path.stat().st_size} bytes) cannot be read as a PyTorch checkpoint; it is damaged, cut "
        f"short, or of another kind ({type(error).__name__}). Copy or download it again. {WHICH_FILE}"
    )


def _foreign_objects(path: Path) -> list[str]:
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # noqa: BLE001  as above; not even its list of contents can be read
        return []


def _network_weights(content: Any, path: Path) -> Mapping[str, Tensor]:
    weights = content.get("network_weights") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not weights or not all(torch.is_tensor(w) for w in weights.values()):
        raise CheckpointError(
            f"{path} is no nnU-Net checkpoint: got {_kind(content)}, expected a dictionary with "
            f"'network_weights' (tensors by name). {WHICH_FILE}"
        )
    return weights


def _kind(content: Any) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    if "pytorch-lightning_version" in content:
        return "a PyTorch Lightning checkpoint"
    if content and all(torch.is_tensor(value) for value in content.values()):
        return f"a plain state_dict of {len(content)} tensors"
    return f"a dictionary with the keys {', '.join(map(str, list(content)[:8])) or '(none)'}"


def _bare(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _does_not_fit(
    expected: Mapping[str, tuple[int, ...]], got: Mapping[str, tuple[int, ...]], of: Pretrained
) -> str:
    return (
        f"The pretrained weights of {of.path} do not fit this network. {describe_mismatch(expected, got)}.\n"
        f"{list_differences(expected, got)}\n"
        "Preprocess with plans made from the pretrained model, not with plans made for this dataset alone:\n"
        f"  nnunet_slpt_plan -d TARGET -m {of.path.absolute().parent.parent}\n"
        "  nnunet_slpt_preprocess -d TARGET -p nnUNetSLPTPlans"
    )
