"""A checkpoint of nnU-Net, read-only: its weights and what it knows of its training.

Must not import the networks. Never writes a file.
"""

__all__ = ["Pretrained", "origin_of", "read_checkpoint"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnunet_slpt.config import PLANS_KEY
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.label_outputs import Labels
from nnunet_slpt.pretrained.mismatch import shapes_of
from nnunet_slpt.pretrained.stem import stem_name

# What DistributedDataParallel and torch.compile put in front of every name.
WRAPPERS = ("module.", "_orig_mod.")
MIRRORING = "inference_allowed_mirroring_axes"  # None: along none
WHICH_FILE = "Pass the file that nnU-Net writes, for example fold_0/checkpoint_final.pth."


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
        began: when its first epoch did, in seconds since 1970; ``None`` if nobody knows.
    """

    path: Path
    weights: Mapping[str, Tensor] = field(repr=False)
    plans: Mapping[str, Any] = field(repr=False)
    dataset_json: Mapping[str, Any] = field(repr=False)
    configuration: str
    trainer_name: str
    mirror_axes: tuple[int, ...] | None = None
    began: float | None = None

    @property
    def labels(self) -> Labels:
        """The labels it was trained for."""
        labels: Labels = self.dataset_json.get("labels", {})
        return labels


def origin_of(plans: Mapping[str, Any]) -> str:
    """Behind a comma, for a message, the checkpoint that a model was tuned from; empty if nothing tells it.

    Args:
        plans: of the model.
    """
    origin = (plans.get(PLANS_KEY) or {}).get("pretrained_checkpoint")
    return f", {origin}" if origin else ""


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
        began=_began(content),
    )


def _mirror_axes(content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> tuple[int, ...] | None:
    if MIRRORING not in content:
        return None
    known = tuple(content[MIRRORING] or ())
    first = stem_name(shapes_of(weights))
    along_all = first and len(known) == weights[first].ndim - 2
    return None if along_all else known


def _began(content: Mapping[str, Any]) -> float | None:
    starts: list[float] = (content.get("logging") or {}).get("epoch_start_timestamps") or []
    return starts[0] if starts else None


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
