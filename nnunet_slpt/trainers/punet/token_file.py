"""The small file of PUNet's classes: their tokens by name, and the hash of the body that they belong to.

Owns the file's format. Must not import a trainer.
"""

__all__ = ["load_tokens", "save_tokens"]

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nnunet_slpt import __version__
from nnunet_slpt.errors import CheckpointError, ConfigError, one_of
from nnunet_slpt.files import write_bytes
from nnunet_slpt.mismatch import list_differences
from nnunet_slpt.networks.punet.network import PUNet
from nnunet_slpt.networks.punet.tokens import ClassPrompt
from nnunet_slpt.pretrained import base_hash

FORMAT_VERSION = 1
METADATA = "nnunet_slpt_tokens"
WHICH_FILE = "Pass a file that save_tokens wrote."


def save_tokens(path: str | Path, network: PUNet, names: Iterable[str] | None = None) -> None:
    """Write what is tuned for some classes, but not the body.

    Args:
        path: the ``.safetensors`` file to write.
        network: that has the classes.
        names: of the classes; ``None`` is all of them.

    Raises:
        ConfigError: no such class, or none at all.
        FileError: it cannot be written; an old file is untouched then.
    """
    prompts = {name: network.prompt(name) for name in (network.class_names if names is None else names)}
    if not prompts:
        raise ConfigError("There are no tokens to save: the network has no class, or none was named.")
    about = {
        "format_version": FORMAT_VERSION,
        "base_hash": base_hash(network.frozen_state()),
        "classes": list(prompts),
        "versions": {"nnunet_slpt": __version__, "torch": torch.__version__},
    }
    # By number: a name may hold any character, the separator too.
    tensors = {
        f"{number}.{name}": tensor.detach().cpu().contiguous()
        for number, prompt in enumerate(prompts.values())
        for name, tensor in prompt.state_dict().items()
    }
    write_bytes(Path(path), save(tensors, {METADATA: json.dumps(about)}))


def load_tokens(path: str | Path, network: PUNet, names: Iterable[str] | None = None) -> list[str]:
    """Give classes the tokens of a file: all that are asked for, or none if one does not fit.

    A class that the network knows takes over the file's tokens; another is added.

    Args:
        path: what ``save_tokens`` wrote.
        network: with the same body.
        names: of the classes; ``None`` is all that the file has.

    Returns:
        The names of the classes that were loaded.

    Raises:
        CheckpointError: no such file, damaged, of another program or a later version, tokens of another body
            or of other stages, or a class that is not in it.
    """
    path = Path(path)
    about, tensors = _read(path)
    _check_body(about["base_hash"], base_hash(network.frozen_state()), path)
    known = about["classes"]
    asked = known if names is None else list(names)
    states = {}
    for name in asked:
        if name not in known:
            raise CheckpointError(f"{path} has no tokens for it: {one_of('class', name, known)}.")
        states[name] = _state(tensors, known.index(name))
        _check_shapes(states[name], network.new_prompt(), path)
    for name, state in states.items():
        if name not in network.class_names:
            network.add_class(name)
        network.prompt(name).load_state_dict(state)
    return asked


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"There is no token file {path}. {WHICH_FILE}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read as safetensors ({error}). {WHICH_FILE}") from error
    if METADATA not in metadata:
        raise CheckpointError(f"{path} is a safetensors file, but not one of tokens. {WHICH_FILE}")
    about = json.loads(metadata[METADATA])
    if about["format_version"] > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} was written by nnunet_slpt {about['versions']['nnunet_slpt']}, in a format that "
            f"version {__version__} does not know. Update: pip install --upgrade nnunet_slpt"
        )
    return about, tensors


def _state(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The tensors of one class, under the names that its prompt has for them."""
    mine = f"{number}."
    return {name.removeprefix(mine): tensor for name, tensor in tensors.items() if name.startswith(mine)}


def _check_body(got: str, expected: str, path: Path) -> None:
    if got != expected:
        raise CheckpointError(
            f"The tokens of {path} belong to another body: it had the hash {got[:12]}…, this one has "
            f"{expected[:12]}…. Load the pretrained network that they were tuned with first."
        )


def _check_shapes(state: Mapping[str, Tensor], prompt: ClassPrompt, path: Path) -> None:
    got = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in prompt.state_dict().items()}
    if got != expected:
        raise CheckpointError(
            f"The tokens of {path} are of other stages, or of another number:\n"
            f"{list_differences(expected, got)}\n"
            "Build the network with the same prompted and tokens as theirs."
        )
