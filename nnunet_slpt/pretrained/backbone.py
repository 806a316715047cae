"""How pretrained weights enter a network that is tuned, and how they are told again.

Must not import the networks: what it asks of one is ``FrozenNetwork``.
"""

__all__ = ["FrozenNetwork", "base_hash", "check_no_lora", "load_backbone", "pretrained_heads", "shared_heads"]

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.host_conventions import HEADS
from nnunet_slpt.label_outputs import Labels, head_rows
from nnunet_slpt.pretrained.checkpoint import Pretrained, origin_of
from nnunet_slpt.pretrained.mismatch import describe_mismatch, list_differences, shapes_of
from nnunet_slpt.pretrained.stem import adapted_stem, stem_name

ADDED = {"prompts", "updaters", "scale_shift", "input_prompt", "heads"}  # by a prompt tuning, of any settings

ADDED_TO_WEIGHTS = "parametrizations."  # torch's name for it; of our trainers LoRA's alone does so


class FrozenNetwork(Protocol):
    """What ``load_backbone`` asks of a network that is tuned: with prompts, a PUNet, or nnU-Net's own."""

    def frozen_state(self) -> dict[str, Tensor]:
        """The tensors that come from the pretrained network (no copies), each once; most are frozen."""

    def tuned_state(self) -> dict[str, Tensor]:
        """The tensors that stand beside these, each once."""

    def state_dict(self) -> dict[str, Any]:
        """All tensors under all their names."""


def load_backbone(network: FrozenNetwork, pretrained: Pretrained, stem: str | None = None) -> None:
    """Copy the pretrained weights to where they belong in a network, all of them or none.

    Heads are left out, and so is what a prompt tuning has added if that wrote the checkpoint.

    Args:
        network: to be tuned, of any number of classes.
        pretrained: weights of the same U-Net.
        stem: ``repeat`` or ``average`` the first layer's weights where the network has another number of
            input channels; ``None`` refuses that.

    Raises:
        ArchitectureError: a frozen tensor is missing or has another shape, or a weight would be left over.
    """
    check_no_lora(pretrained)
    frozen = network.frozen_state()
    expected = shapes_of(frozen)
    added = ADDED | {_part(name) for name in network.tuned_state()}
    # nnU-Net registers a tensor under up to four names; those that are no one's first are not compared.
    again = set(network.state_dict()) - set(expected)
    weights = {
        name: tensor
        for name, tensor in pretrained.weights.items()
        if name not in again and not name.startswith(HEADS) and _part(name) not in added
    }
    first = stem_name(expected)
    if stem is not None and first in weights:
        weights[first] = adapted_stem(weights[first], expected[first][1], stem)
    got = shapes_of(weights)
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
        {int(name.removeprefix(HEADS).split(".")[0]) for name in pretrained.weights if name.startswith(HEADS)}
    )
    weights = pretrained.weights
    return [(weights[f"{HEADS}{stage}.weight"], weights[f"{HEADS}{stage}.bias"]) for stage in stages]


def shared_heads(pretrained: Pretrained, labels: Labels) -> dict[int, int]:
    """Output channel of the heads to be tuned → output channel of the pretrained heads that it starts from.

    Args:
        pretrained: weights and the labels they were trained for.
        labels: of the dataset to tune for, as in ``dataset.json``.
    """
    return head_rows(pretrained.labels, labels) if pretrained_heads(pretrained) else {}


def check_no_lora(pretrained: Pretrained) -> None:
    """Refuse what a tuning with LoRA wrote.

    Args:
        pretrained: weights of any network.

    Raises:
        ArchitectureError: it did.
    """
    if any(ADDED_TO_WEIGHTS in name for name in pretrained.weights):
        raise ArchitectureError(
            f"{pretrained.path} was tuned with LoRA, and a next tuning has no place for what that added to "
            f"its weights. Start from the network that it was tuned in{origin_of(pretrained.plans)}."
        )


def base_hash(frozen_state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes; the same on every device and in every order."""
    digest = hashlib.sha256()
    for name, tensor in sorted(frozen_state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # numpy knows no bfloat16, so the bytes are viewed as such while still a tensor.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _part(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


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
