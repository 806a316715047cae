"""Small files of what was tuned: tensors, and what belongs to them, as safetensors.

Owns what all kinds of them have in common: how they are written and read, versions, refusals.
"""

__all__ = ["TensorFile"]

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nnunet_slpt import __version__
from nnunet_slpt.config import FIRST_REVISION, REVISION, of_other_revision
from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.files import write_bytes
from nnunet_slpt.versions import versions_of

FORMAT_VERSION = 1


@dataclass(frozen=True)
class TensorFile:
    """A kind of file.

    Args:
        key: of its entry in the metadata; a file without it is of another kind.
        kind: as users call it.
        remedy: what to do where a file is of no use.
    """

    key: str
    kind: str
    remedy: str

    def write(self, path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
        """Write a file: whoever reads it meanwhile finds the old one or the new one.

        Args:
            path: to make or to replace.
            tensors: by name.
            about: what else is kept, of JSON's types; the order of its keys stays.

        Raises:
            FileError: it cannot be written; an old file is untouched then.
        """
        versions = versions_of("nnunetv2", "torch")
        of_format = {"format_version": FORMAT_VERSION, "revision": REVISION, "versions": versions}
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        # One entry, for safetensors writes several in an order that changes from call to call. The order
        # inside it stays: that of the labels says which output is which region.
        write_bytes(path, save(plain, {self.key: json.dumps({**about, **of_format})}))

    def read(self, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What is kept beside the tensors, and these by name.

        Raises:
            CheckpointError: no such file, damaged, of another kind, of a later version of this
                package, or of another revision of its networks.
        """
        if not path.is_file():
            raise CheckpointError(f"There is no {self.kind} {path}. {self.remedy}")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no dict
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} cannot be read as safetensors ({error}). {self.remedy}") from error
        try:
            about = json.loads(metadata[self.key])
            revision = about.get("revision", FIRST_REVISION)
            if about["format_version"] > FORMAT_VERSION:
                raise CheckpointError(
                    f"{path} was written by nnunet_slpt {about['versions']['nnunet_slpt']}, in a format that "
                    f"version {__version__} does not know. Update: pip install --upgrade nnunet_slpt"
                )
            if revision != REVISION:
                raise CheckpointError(of_other_revision(str(path), revision))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self.is_none(path, error) from error
        return about, tensors

    def is_none(self, path: Path, error: Exception) -> CheckpointError:
        """The refusal of a file whose content is another than that of its kind."""
        return CheckpointError(f"{path} is a safetensors file, but no {self.kind} ({error!r}). {self.remedy}")
