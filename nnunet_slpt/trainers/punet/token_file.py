"""The small file of PUNet's classes: their tokens by name, and the hash of the body that they belong to.

Owns the file's format. Must not import a trainer.
"""

__all__ = ["load_tokens", "save_tokens"]

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from nnunet_slpt.errors import CheckpointError, ConfigError, one_of
from nnunet_slpt.networks.punet.network import PUNet
from nnunet_slpt.networks.punet.tokens import ClassPrompt
from nnunet_slpt.pretrained import base_hash, list_differences
from nnunet_slpt.trainers.tensor_file import TensorFile

TOKEN_FORMAT = TensorFile(
    key="nnunet_slpt_tokens", kind="token file", remedy="Pass a file that save_tokens wrote."
)


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
    about = {"base_hash": base_hash(network.frozen_state()), "classes": list(prompts)}
    # By number: a name may hold any character, the separator too.
    tensors = {
        f"{number}.{name}": tensor
        for number, prompt in enumerate(prompts.values())
        for name, tensor in prompt.state_dict().items()
    }
    TOKEN_FORMAT.write(Path(path), tensors, about)


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
    about, tensors = TOKEN_FORMAT.read(path)
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
