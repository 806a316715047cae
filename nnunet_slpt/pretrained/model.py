"""A trained model as nnU-Net leaves it, read-only: a folder of ``nnUNet_results``, or an exported zip.

Owns where its parts lie and which checkpoint is meant; what a checkpoint holds is ``checkpoint``'s. Must not
import the networks. Never writes a file, but for a temporary one when it reads out of a zip.
"""

__all__ = ["CHECKPOINTS", "Model", "check_unpacked", "model_folder", "read_model"]

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from nnunet_slpt.errors import CheckpointError
from nnunet_slpt.host_conventions import BEST, FINAL, LATEST
from nnunet_slpt.pretrained.checkpoint import Pretrained, read_checkpoint

CHECKPOINTS = (FINAL, BEST, LATEST)
DEEPEST = 2  # nnUNet_results/DATASET/TRAINER__PLANS__CONFIGURATION, and so in nnU-Net's zips
LAYOUT = "expected plans.json, dataset.json and fold_X/checkpoint_final.pth, as nnU-Net writes them"
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Place(Protocol):
    """What pathlib's and zipfile's paths have alike."""

    @property
    def name(self) -> str:
        """Without the folders around."""

    def iterdir(self) -> Iterator["Place"]:
        """What is inside."""

    def is_dir(self) -> bool:
        """Whether it is a folder."""

    def is_file(self) -> bool:
        """Whether it is a file."""

    def read_bytes(self) -> bytes:
        """The file's content."""

    def __truediv__(self, name: str) -> "Place": ...


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Args:
        source: the folder, or the zip.
        name: of the model's folder, usually ``TRAINER__PLANS__CONFIGURATION``.
        checkpoint: which one, such as ``fold_0/checkpoint_final.pth``.
        plans: its ``plans.json``; where that is missing, what the checkpoint holds.
        dataset_json: its ``dataset.json``; where that is missing, what the checkpoint holds.
        configuration: such as ``3d_fullres``.
        trainer_name: class that trained it.
        pretrained: what the checkpoint holds.
    """

    source: Path
    name: str
    checkpoint: str
    plans: Mapping[str, Any] = field(repr=False)
    dataset_json: Mapping[str, Any] = field(repr=False)
    configuration: str
    trainer_name: str
    pretrained: Pretrained = field(repr=False)

    @property
    def zipped(self) -> bool:
        """Whether the checkpoint has no path of its own."""
        return self.source.is_file()

    @property
    def unpacked(self) -> str:
        """In words, the folder that nnU-Net itself can load."""
        if not self.zipped:
            return str(self.source)
        return f"MODEL, the folder that nnUNetv2_install_pretrained_model_from_zip makes of {self.source}"

    def checkpoint_bytes(self) -> bytes:
        """The checkpoint's file.

        Raises:
            CheckpointError: it cannot be read any more.
        """
        file = self.pretrained.path
        if not self.zipped:
            return file.read_bytes()
        with _opened(self.source) as root:
            return (root / file.relative_to(self.source).as_posix()).read_bytes()


def read_model(
    source: Path, configuration: str | None = None, fold: str | None = None, checkpoint: str | None = None
) -> Model:
    """Read a trained model.

    Args:
        source: the model's folder, a folder or a zip with one model in it, or with one of this configuration.
        configuration: it must have been trained with; ``None`` takes what there is.
        fold: a number or ``all``; ``None`` prefers ``all``, then the lowest that has the checkpoint.
        checkpoint: the file's name; ``None`` prefers the final one, then the best, then the latest.

    Raises:
        CheckpointError: there is no such model or checkpoint, there are several, or a file cannot be used.
    """
    with _opened(Path(source)) as root:
        folder = _the_model(root, source, configuration)
        within = _the_checkpoint(folder, source, fold, checkpoint)
        pretrained = _read(folder / within, source)
        name = _name(folder, source)
        named = name.split("__")[-1] if name.count("__") == 2 else ""
        model = Model(
            source=Path(source),
            name=name,
            checkpoint=within,
            plans=_json(folder / "plans.json", source) or pretrained.plans,
            dataset_json=_json(folder / "dataset.json", source) or pretrained.dataset_json,
            configuration=pretrained.configuration or named,
            trainer_name=pretrained.trainer_name or name.split("__")[0],
            pretrained=pretrained,
        )
    return _complete(model, configuration)


def model_folder(source: Path, configuration: str | None = None) -> Path:
    """The folder of a model that nnU-Net itself will load.

    Args:
        source: it, or a folder with one model in it, or with one of this configuration.
        configuration: chooses among several; ``None`` takes what there is.

    Raises:
        CheckpointError: it is a file, or there is no such model, or there are several.
    """
    check_unpacked(source)
    with _opened(source) as root:
        return Path(str(_the_model(root, source, configuration)))


def check_unpacked(source: Path) -> None:
    """Refuse a zip where nnU-Net itself will load the model.

    Args:
        source: of a model; need not be there.

    Raises:
        CheckpointError: it is a file.
    """
    if source.is_file():
        raise CheckpointError(
            f"{source} is a file, expected a model's folder. If it is a zip: install it with "
            "nnUNetv2_install_pretrained_model_from_zip and pass its folder in nnUNet_results."
        )


def _complete(model: Model, configuration: str | None) -> Model:
    parts = {"plans.json": model.plans, "dataset.json": model.dataset_json}
    missing = [part for part, content in parts.items() if not content]
    if missing:
        raise CheckpointError(
            f"{model.source} lacks {' and '.join(missing)}, and its checkpoint does not hold them either; "
            f"{LAYOUT}. Copy the whole model again."
        )
    if configuration not in (None, model.configuration):
        raise CheckpointError(
            f"The checkpoint {model.checkpoint} of {model.source} was trained with "
            f"{model.configuration or 'an unknown configuration'}, expected {configuration} (-c). Leave "
            "out -c, or pass a model that was trained with it."
        )
    return model


@contextmanager
def _opened(source: Path) -> Iterator[Place]:
    if source.is_dir():
        yield source
        return
    if source.suffix == ".pth" and source.is_file():
        raise CheckpointError(
            f"{source} is a checkpoint, expected the model's folder around it: pass "
            f"-m {source.absolute().parent.parent} -f {source.absolute().parent.name.removeprefix('fold_')} "
            f"-chk {source.name}"
        )
    if not source.exists():
        raise CheckpointError(
            f"There is no {source}, expected a model folder ({LAYOUT.removeprefix('expected ')}) or a zip of "
            "nnUNetv2_export_model_to_zip. Check the path."
        )
    try:
        with zipfile.ZipFile(source) as archive:
            yield zipfile.Path(archive)
    except BROKEN_ZIP as error:
        raise CheckpointError(
            f"{source} ({source.stat().st_size} bytes) cannot be read as a zip: it is damaged, cut short or "
            f"of another kind ({error}). Expected a model folder or a zip of nnUNetv2_export_model_to_zip. "
            "Copy or download it again."
        ) from error


def _models(root: Place, depth: int = 0) -> list[Place]:
    """The model folders in a folder, or it itself."""
    inside = sorted(root.iterdir(), key=lambda one: one.name)
    folders: list[Place] = [one for one in inside if one.is_dir()]
    if any(one.name == "plans.json" for one in inside) or any(
        one.name.startswith("fold_") for one in folders
    ):
        return [root]
    return [one for folder in folders for one in _models(folder, depth + 1)] if depth < DEEPEST else []


def _name(folder: Place, source: Path) -> str:
    """The folder's own name; that of a zip's root is the zip's."""
    return source.absolute().name if folder == source or not folder.name else folder.name


def _the_model(root: Place, source: Path, configuration: str | None) -> Place:
    found = _models(root)
    fitting = [one for one in found if _name(one, source).endswith(f"__{configuration}")]
    chosen = fitting if len(found) > 1 and configuration else found
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        inside = Path(source).absolute()
        fold = inside.name.removeprefix("fold_")
        remedy = f"-m {inside.parent} -f {fold}" if inside.name != fold else "such a folder or its zip"
        raise CheckpointError(f"There is no model in {source}; {LAYOUT}. Pass {remedy}.")
    several, wanted = chosen or found, f" of {configuration}" if configuration else ""
    names = ", ".join(str(one).removeprefix(str(source)).strip("/\\") for one in several)
    raise CheckpointError(
        f"{source} holds {len(chosen)} models{wanted}; there {'is' if chosen else 'are only'} {names}. "
        f"Expected one; {_remedy(source, several)}."
    )


def _remedy(source: Path, several: Sequence[Place]) -> str:
    """How to name one of several models."""
    configurations = {_name(one, source).split("__")[-1] for one in several}
    one_of_them = "the folder of one of them"
    if source.is_file():
        one_of_them += ", as nnUNetv2_install_pretrained_model_from_zip makes it"
    return f"pass {one_of_them}{', or -c CONFIGURATION' if len(configurations) > 1 else ''}"


def _the_checkpoint(folder: Place, source: Path, fold: str | None, checkpoint: str | None) -> str:
    """Its path within the model's folder."""
    folds = [one for one in folder.iterdir() if one.is_dir() and one.name.startswith("fold_")]
    # "all" has seen most; then by number.
    ordered = sorted(folds, key=lambda one: (one.name != "fold_all", len(one.name), one.name))
    chosen = [one for one in ordered if fold is None or one.name == f"fold_{fold}"]
    for name in (checkpoint,) if checkpoint else CHECKPOINTS:
        for one in chosen:
            if (one / name).is_file():
                return f"{one.name}/{name}"
    there = [
        f"{one.name}/{file.name}" for one in ordered for file in one.iterdir() if file.name.endswith(".pth")
    ]
    wanted = f"fold_{fold or 'X'}/{checkpoint or CHECKPOINTS[0]}"
    raise CheckpointError(
        f"There is no {wanted} in {source}: got {', '.join(sorted(there)) or 'no checkpoint at all'}. "
        + ("Choose one with -f and -chk." if there else "Copy the whole model, its folds included.")
    )


def _read(file: Place, source: Path) -> Pretrained:
    if not isinstance(file, zipfile.Path):
        return read_checkpoint(Path(str(file)))
    # PyTorch reads by jumping about, which in a packed file means unpacking it over and over.
    with TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(file.read_bytes())
        try:
            pretrained = read_checkpoint(copy)
        except CheckpointError as error:
            raise CheckpointError(str(error).replace(str(copy), f"{file.at} in {source}")) from error
    return replace(pretrained, path=source / file.at)


def _json(file: Place, source: Path) -> dict[str, Any]:
    """A JSON file's dictionary; empty if there is no such file."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise CheckpointError(f"{file.name} in {source} is no JSON ({error}). Copy it again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{file.name} in {source} holds a {type(content).__name__}, expected an object."
        )
    return content
