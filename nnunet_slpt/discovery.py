"""How nnU-Net finds our trainers.

Owns the environment variable ``nnUNet_extTrainer``: the host searches the folders named there for a trainer
class that it does not have itself (``nnunetv2/utilities/find_objects.py``,
``recursive_find_trainer_class_by_name``).

The entry point ``torch.backends`` calls `announce` on ``import torch``, before nnU-Net looks. PyTorch made
that hook for device backends; we borrow it. Whoever does not want this sets
``NNUNET_SLPT_AUTOLOAD=0``, and the variable with the line that ``nnunet_slpt_env`` prints.

Must import nothing but the standard library: this module is loaded in the middle of ``import torch``.
"""

__all__ = ["announce", "main", "search_folder"]

import argparse
import contextlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

HOST_VARIABLE = "nnUNet_extTrainer"
SWITCH = "NNUNET_SLPT_AUTOLOAD"
SHELLS = ("bash", "fish", "powershell", "cmd")


def search_folder() -> str:
    """The folder to name to nnU-Net: it holds one file, which re-exports our trainers.

    nnU-Net imports every module in such a folder under a top-level name and forgets it again. Naming the
    package or its ``trainers`` folder instead would load each class twice, and the second copies cannot be
    pickled.
    """
    return str(Path(__file__).resolve().with_name("_nnunet_search_path"))


def with_search_folder(value: str | None) -> str:
    """The variable's value with our folder at the end; what the user set stays, and is searched first.

    >>> with_search_folder(None) == with_search_folder("") == search_folder()
    True
    >>> once = with_search_folder("my_trainers")
    >>> once == "my_trainers" + os.pathsep + search_folder() == with_search_folder(once)
    True
    """
    folder = search_folder()
    if not value:
        return folder
    return value if folder in value.split(os.pathsep) else f"{value}{os.pathsep}{folder}"


def announce() -> None:
    """Name our folder to nnU-Net in this process and its children, unless ``NNUNET_SLPT_AUTOLOAD=0``."""
    # An exception from here would make `import torch` fail for every program in the environment. Without the
    # variable nnU-Net still works, and says itself which trainer it could not find and where it looked.
    with contextlib.suppress(Exception):
        if os.environ.get(SWITCH) != "0":
            os.environ[HOST_VARIABLE] = with_search_folder(os.environ.get(HOST_VARIABLE))


def export_line(value: str, shell: str = "bash") -> str:
    """The command that sets ``nnUNet_extTrainer`` to a value in one of the shells in ``SHELLS``.

    >>> export_line("/my trainers")
    "export nnUNet_extTrainer='/my trainers'"
    """
    if shell == "powershell":
        return f"$env:{HOST_VARIABLE} = '{value.replace(chr(39), chr(39) * 2)}'"
    if shell == "cmd":
        return f'set "{HOST_VARIABLE}={value}"'
    if shell == "fish":
        return f"set -gx {HOST_VARIABLE} {shlex.quote(value)}"
    return f"export {HOST_VARIABLE}={shlex.quote(value)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the line that lets nnU-Net find our trainers, for shells in which the hook is switched off."""
    parser = argparse.ArgumentParser(
        prog="nnunet_slpt_env",
        description='Print the line that lets nnU-Net find the SLPT trainers: eval "$(nnunet_slpt_env)". '
        f"Needed only where {SWITCH}=0 or TORCH_DEVICE_BACKEND_AUTOLOAD=0 is set.",
    )
    parser.add_argument(
        "--shell", choices=SHELLS, default=SHELLS[0], help="whose syntax to print (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    print(export_line(with_search_folder(os.environ.get(HOST_VARIABLE)), args.shell))
    return 0
