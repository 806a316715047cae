"""The small file of PUNet's classes: their tokens by name, and the hash of the body that they belong to.

Owns the file's format. Must not import a trainer.
"""

__all__ = ["load_tokens", "save_tokens"]

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from nnunet_slpt.errors import CheckpointError, ConfigError, SLPTError, one_of
from nnunet_slpt.networks.punet.label_network import LabelPUNet
from nnunet_slpt.networks.punet.network import PUNet
from nnunet_slpt.networks.punet.tokens import ClassPrompt
from nnunet_slpt.pretrained import base_hash, list_differences
from nnunet_slpt.pretrained.mismatch import shapes_of
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
        ConfigError: no such class, or none at all; some of the classes of a network that was tuned jointly;
            adapters, which are part of what was tuned and no class's.
        FileError: it cannot be written; an old file is untouched then.
    """
    prompts = {name: network.prompt(name) for name in (network.class_names if names is None else names)}
    if not prompts:
        raise ConfigError("There are no tokens to save: the network has no class, or none was named.")
    _check_adapters(network, ConfigError)
    jointly = _is_joint(network)
    if jointly and len(prompts) < len(network.class_names):
        raise ConfigError(
            f"The classes {', '.join(network.class_names)} share a pass, and some of them alone predict "
            f"otherwise: got {', '.join(prompts)}. Save all of them."
        )
    about = {
        "base_hash": base_hash(network.frozen_state()),
        "classes": list(prompts),
        "jointly": jointly,
    }
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
            or of other stages, or a class that is not in it; tokens that were tuned jointly for a network
            whose classes have a pass each, or the other way round, or some of them; a network with adapters.
    """
    path = Path(path)
    about, tensors = TOKEN_FORMAT.read(path)
    try:
        body, known = about["base_hash"], about["classes"]
    except KeyError as error:
        raise TOKEN_FORMAT.is_none(path, error) from error
    _check_body(body, base_hash(network.frozen_state()), path)
    _check_adapters(network, CheckpointError)
    asked = known if names is None else list(names)
    states = {}
    for name in asked:
        if name not in known:
            raise CheckpointError(f"{path} has no tokens for it: {one_of('class', name, known)}.")
        states[name] = _state(tensors, known.index(name))
        _check_shapes(states[name], network.new_prompt(), path)
    _check_joint(network, bool(about.get("jointly")), known, asked, path)
    for name, state in states.items():
        if name not in network.class_names:
            network.add_class(name)
        network.prompt(name).load_state_dict(state)
    return asked


def _state(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """The tensors of one class, under the names that its prompt has for them."""
    mine = f"{number}."
    return {name.removeprefix(mine): tensor for name, tensor in tensors.items() if name.startswith(mine)}


def _is_joint(network: PUNet) -> bool:
    """Whether classes see each other's tokens; where the body takes none there is nothing to see."""
    return isinstance(network, LabelPUNet) and network.jointly and bool(network.stages)


def _check_adapters(network: PUNet, refusal: type[SLPTError]) -> None:
    if network.adapters is not None:
        raise refusal(
            "The network has adapters, and a token file holds tokens alone, which predict otherwise without "
            "them. Keep the checkpoint, or take a network without adapters."
        )


def _check_joint(network: PUNet, jointly: bool, known: list[str], asked: list[str], path: Path) -> None:
    if jointly != _is_joint(network):
        ways = ("in a pass of each class's own", "jointly, in one pass of all classes")
        raise CheckpointError(
            f"The tokens of {path} were tuned {ways[jointly]}, and this network has its classes "
            f"{ways[not jointly]}. Build it as LabelPUNet(..., jointly={jointly})."
        )
    others = [name for name in {*known, *network.class_names} if name not in known or name not in asked]
    if jointly and others:
        here = ", ".join(network.class_names) or "none"
        raise CheckpointError(
            f"The tokens of {path} were tuned jointly, for {', '.join(known)}, and predict otherwise in "
            f"other company: got {', '.join(asked)} for a network with {here}. "
            "Load all of them, into a network with no other class."
        )


def _check_body(got: str, expected: str, path: Path) -> None:
    if got != expected:
        raise CheckpointError(
            f"The tokens of {path} belong to another body: it had the hash {got[:12]}…, this one has "
            f"{expected[:12]}…. Load the pretrained network that they were tuned with first."
        )


def _check_shapes(state: Mapping[str, Tensor], prompt: ClassPrompt, path: Path) -> None:
    got = shapes_of(state)
    expected = shapes_of(prompt.state_dict())
    if got != expected:
        raise CheckpointError(
            f"The tokens of {path} are of other stages, or of another number:\n"
            f"{list_differences(expected, got)}\n"
            "Build the network with the same prompted and tokens as theirs."
        )
