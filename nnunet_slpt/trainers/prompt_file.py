"""The small file of a tuning: what was tuned, and all it takes to make a model of nnU-Net of it again.

Owns the file's format. Must not import the trainer, which writes it.
"""

__all__ = ["PromptFile", "read_prompts", "save_prompts", "written_whole"]

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nnunet_slpt import __version__
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.pretrained import FrozenNetwork, base_hash

FORMAT_VERSION = 1
METADATA = "nnunet_slpt"
WHICH_FILE = "Pass a file that nnUNetTrainerSLPT wrote, for example fold_0/prompts_final.safetensors."


@dataclass(frozen=True, eq=False)
class PromptFile:
    """A prompt file, read.

    Args:
        path: the file.
        tensors: name → tuned tensor.
        base_hash: ``pretrained.base_hash`` of the frozen weights.
        plans: the plans of the tuning.
        dataset_json: its ``dataset.json``.
        configuration: its configuration, such as ``3d_fullres``.
        trainer_name: class that made it.
        fold: a number or ``all``.
        mirroring_axes: axes that nnU-Net may mirror when it predicts.
    """

    path: Path
    tensors: Mapping[str, Tensor] = field(repr=False)
    base_hash: str
    plans: Mapping[str, Any] = field(repr=False)
    dataset_json: Mapping[str, Any] = field(repr=False)
    configuration: str
    trainer_name: str
    fold: int | str
    mirroring_axes: tuple[int, ...] | None


# Everything that is not a tensor.
ABOUT = [one.name for one in fields(PromptFile) if one.name not in ("path", "tensors")]


def save_prompts(
    path: str | Path,
    network: FrozenNetwork,
    *,
    plans: Mapping[str, Any],
    dataset_json: Mapping[str, Any],
    configuration: str,
    trainer_name: str,
    mirroring_axes: Sequence[int] | None,
    fold: int | str,
) -> None:
    """Write the tuned tensors and all that is needed to use them, but for the pretrained weights.

    Whoever reads ``path`` meanwhile finds the old file or the new one, never half of one.

    Args:
        path: the ``.safetensors`` file to write.
        network: a ``PromptedUNet``.
        plans: as nnU-Net's checkpoint holds them, the ``slpt`` block included.
        dataset_json: the dataset tuned for.
        configuration: its configuration.
        trainer_name: class that builds the network.
        mirroring_axes: nnU-Net's ``inference_allowed_mirroring_axes``.
        fold: a number or ``all``.
    """
    about = {
        "format_version": FORMAT_VERSION,
        "base_hash": base_hash(network.frozen_state()),
        "plans": plans,
        "dataset_json": dataset_json,
        "configuration": configuration,
        "trainer_name": trainer_name,
        "fold": fold,
        "mirroring_axes": mirroring_axes,
        "versions": {"nnunet_slpt": __version__, **{name: version(name) for name in ("nnunetv2", "torch")}},
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.tuned_state().items()}
    # One entry, for safetensors writes several in an order that changes from call to call. The order inside
    # it stays: that of the labels says which output is which region.
    metadata = {METADATA: json.dumps(about)}
    with written_whole(Path(path)) as part:
        # Not save_file, which makes a file that only its owner may read.
        part.write_bytes(save(tensors, metadata))


def read_prompts(path: str | Path) -> PromptFile:
    """Read a prompt file.

    Raises:
        CheckpointError: no such file, damaged, of another program, or of a later version of this package.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no prompt file {path}. {WHICH_FILE}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors ({error}). {WHICH_FILE}") from error
    return PromptFile(path=path, tensors=tensors, **_about(metadata, path))


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give another name to write to; what is there at the end becomes ``path`` in one step.

    Args:
        path: the file to make or to replace.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _about(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """The metadata as ``PromptFile`` takes them."""
    try:
        about = json.loads(metadata[METADATA])
        if about.pop("format_version") > FORMAT_VERSION:
            raise CheckpointError(
                f"{path} was written by nnunet_slpt {about['versions']['nnunet_slpt']}, in a format that "
                f"version {__version__} does not know. Update: pip install --upgrade nnunet_slpt"
            )
        axes, fold = about["mirroring_axes"], about["fold"]
        about["mirroring_axes"] = None if axes is None else tuple(axes)
        about["fold"] = "all" if fold == "all" else int(fold)  # it becomes the name of a folder
        return {name: about[name] for name in ABOUT}
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is a safetensors file, but no prompt file ({error!r}). {WHICH_FILE}"
        ) from error
