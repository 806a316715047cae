"""The small file of a tuning: what was tuned, and all it takes to make a model of nnU-Net of it again.

Owns the file's format. Must not import the trainer, which writes it.
"""

__all__ = ["PromptFile", "read_prompts", "save_prompts"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from nnunet_slpt.pretrained import FrozenNetwork, base_hash
from nnunet_slpt.trainers.tensor_file import TensorFile

PROMPT_FORMAT = TensorFile(
    key="nnunet_slpt",
    kind="prompt file",
    remedy="Pass a file that nnUNetTrainerSLPT wrote, for example fold_0/prompts_final.safetensors.",
)


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

    Args:
        path: the ``.safetensors`` file to write.
        network: a ``PromptedUNet``.
        plans: as nnU-Net's checkpoint holds them, the ``slpt`` block included.
        dataset_json: the dataset tuned for.
        configuration: its configuration.
        trainer_name: class that builds the network.
        mirroring_axes: nnU-Net's ``inference_allowed_mirroring_axes``.
        fold: a number or ``all``.

    Raises:
        FileError: it cannot be written; an old file is untouched then.
    """
    about = {
        "base_hash": base_hash(network.frozen_state()),
        "plans": plans,
        "dataset_json": dataset_json,
        "configuration": configuration,
        "trainer_name": trainer_name,
        "fold": fold,
        "mirroring_axes": mirroring_axes,
    }
    PROMPT_FORMAT.write(Path(path), network.tuned_state(), about)


def read_prompts(path: str | Path) -> PromptFile:
    """Read a prompt file.

    Raises:
        CheckpointError: no such file, damaged, of another program, or of a later version of this package.
    """
    path = Path(path)
    about, tensors = PROMPT_FORMAT.read(path)
    try:
        axes, fold = about["mirroring_axes"], about["fold"]
        about["mirroring_axes"] = None if axes is None else tuple(axes)
        about["fold"] = "all" if fold == "all" else int(fold)  # it becomes the name of a folder
        return PromptFile(path=path, tensors=tensors, **{name: about[name] for name in ABOUT})
    except (KeyError, TypeError, ValueError) as error:
        raise PROMPT_FORMAT.is_none(path, error) from error
