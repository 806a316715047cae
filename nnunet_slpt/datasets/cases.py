"""The cases of a raw nnU-Net dataset, labelled or not, and which of them nnU-Net would stumble over.

Looks at names, never into images or labels, and writes nothing. Must not import the networks.
"""

__all__ = [
    "NOT_ANNOTATED",
    "UNLABELLED",
    "Case",
    "channel_count",
    "channel_names",
    "read_cases",
    "read_dataset_json",
    "without_ending",
]

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnunetv2.imageio.reader_writer_registry import LIST_OF_IO_CLASSES
from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

from nnunet_slpt.errors import DatasetError, one_of, some

ENDINGS = sorted({ending for io in LIST_OF_IO_CLASSES for ending in io.supported_file_endings})
NUMBERED = re.compile(r"(.+)_([0-9]{4})", re.DOTALL)  # as in nnU-Net's create_paths_fn (utilities/utils.py)

# What the voxels of a case without a label hold once it is preprocessed for pretraining. No label has this
# value, and nnU-Net's loss on labels stops at it instead of taking it for background (that on regions would).
# It is positive, because nnU-Net's MaskImageTransform blanks the image where the segmentation is negative,
# and the largest that nnU-Net's int16 can hold.
NOT_ANNOTATED = 32767
UNLABELLED = "slpt_unlabelled"  # in such a case's properties

TWICE = "two files for one case"
LACKING = "missing image files"
SUPERFLUOUS = "superfluous image files"
UNNUMBERED = "image files without a channel number"
OTHER_ENDING = "files with another ending than dataset.json's file_ending"
NO_IMAGE = "labels without an image"
BROKEN = "links to nowhere"
RESERVED = "names of cases that end in _seg"
REMEDIES = {
    TWICE: "Expected each case once; move one of the two away, or correct dataset.json.",
    LACKING: "Expected NAME_0000{ending} and so on, one for each of the {channels} channel_names in "
    "dataset.json; add the files, or move the case away.",
    SUPERFLUOUS: "Expected {channels} for a case, as dataset.json has channel_names; move them away.",
    UNNUMBERED: "Expected NAME_0000{ending}; rename them, or move them away.",
    OTHER_ENDING: "Expected {ending}, nnU-Net does not see others; convert them, or move them away.",
    NO_IMAGE: "Expected labelsTr/NAME{ending} for imagesTr/NAME_0000{ending}; add the images, rename the "
    "labels, or move them away.",
    BROKEN: "Expected files; fetch what the links point to, or move them away.",
    RESERVED: "nnU-Net keeps NAME_seg for the segmentation of NAME and never trains on such a case; rename "
    "images and label.",
}
Problems = defaultdict[str, list[str]]  # what is wrong, a key of REMEDIES → who; or case → what it lacks
Images = dict[int, Path]  # channel → file


@dataclass(frozen=True)
class Case:
    """One case.

    Args:
        name: nnU-Net's identifier.
        images: its files, one a channel in the order of the channels; or one with all channels.
        label: where its label is, or will be once somebody has drawn it.
        labelled: whether that file exists; ``False`` for all cases if labels are hidden.
        lacks: names of image files that are missing; empty unless incomplete cases were asked for.
    """

    name: str
    images: tuple[Path, ...]
    label: Path
    labelled: bool
    lacks: tuple[str, ...] = ()


def read_dataset_json(folder: Path) -> dict[str, Any]:
    """A raw dataset's ``dataset.json``, with all that is needed of it.

    Args:
        folder: of the raw dataset.

    Raises:
        DatasetError: no such file, unreadable, or without what nnU-Net needs of it.
    """
    file = folder / "dataset.json"
    keys = "channel_names (or modality), labels and file_ending"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DatasetError(f"There is no {file}, expected nnU-Net's description with {keys}.") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read, expected JSON: {error}. Correct the file.") from error
    got = content if isinstance(content, dict) else {}
    channels = _channels(got)
    wanted = {
        "channel_names": isinstance(channels, dict) and len(channels) > 0,
        "labels": isinstance(got.get("labels"), dict),
        "file_ending": isinstance(got.get("file_ending"), str) and len(got["file_ending"]) > 1,
    }
    if not all(wanted.values()):
        unusable = ", ".join(key for key, usable in wanted.items() if not usable)
        raise DatasetError(
            f"{file} lacks {unusable}, or what it says there is of another kind than nnU-Net expects. It has "
            f"{', '.join(got) or 'no keys'}, expected {keys}. Correct the file."
        )
    # With a reader of its own a dataset may have any ending.
    if got["file_ending"].lower() not in ENDINGS and "overwrite_image_reader_writer" not in got:
        raise DatasetError(f"{file}: {one_of('file_ending', got['file_ending'], sorted(ENDINGS))}.")
    return got


def channel_names(dataset_json: Mapping[str, Any]) -> list[str]:
    """Names of a case's channels, in their order; none if the file has neither of the two entries."""
    return [str(name) for name in _channels(dataset_json).values()]


def channel_count(dataset_json: Mapping[str, Any]) -> int:
    """How many channels a case has."""
    return len(channel_names(dataset_json))


def read_cases(folder: Path, hide_labels: bool, incomplete: bool = False) -> list[Case]:
    """All cases of a raw dataset by ascending name: those of ``imagesTr``, and what ``dataset.json`` lists.

    Args:
        folder: of the raw dataset.
        hide_labels: neither opens nor looks for a label; ``labelled`` is ``False`` for all.
        incomplete: cases of which image files are missing come too, and say which; else they are refused.

    Raises:
        DatasetError: ``dataset.json`` cannot be used, there are no images, or files are missing, superfluous,
            doubled or misnamed. All of them are counted, the first of each kind are named.
    """
    folder = Path(os.path.abspath(folder))
    dataset_json = read_dataset_json(folder)
    ending, channels = dataset_json["file_ending"], channel_count(dataset_json)
    problems: Problems = defaultdict(list)
    lacking: Problems = defaultdict(list)
    listed, labels = _listed_cases(folder, dataset_json, problems, lacking)
    known = {os.path.realpath(file) for images in listed.values() for file in images.values()}
    found = _found_cases(folder / "imagesTr", ending, known, problems)
    for name in sorted(listed.keys() & found.keys()):
        file, other = next(iter(listed[name].values())), next(iter(found[name].values()))
        problems[TWICE].append(f"{name}: dataset.json lists {file}, but there is {other} too")
    cases = found | listed
    if not cases and not problems:
        got = "has no images" if (folder / "imagesTr").is_dir() else "does not exist"
        raise DatasetError(f"{folder / 'imagesTr'} {got}, expected NAME_0000{ending}. Copy the images there.")
    labels = {name: folder / "labelsTr" / f"{name}{ending}" for name in found} | labels
    _check_channels(cases, channels, ending, problems, lacking)
    problems[RESERVED] = sorted(name for name in cases if name.endswith("_seg"))
    if not incomplete:
        problems[LACKING] = [file for files in lacking.values() for file in files]
    if not hide_labels:
        _check_labels(folder / "labelsTr", labels, ending, problems)
    _refuse(folder, problems, ending=ending, channels=channels)
    return [
        Case(
            name,
            tuple(images.values()),
            labels[name],
            not hide_labels and labels[name].is_file(),
            tuple(lacking[name]),
        )
        for name, images in sorted(cases.items())
    ]


def without_ending(name: str) -> str:
    """The name of a file without its ending, if it is one of those that nnU-Net knows."""
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _channels(dataset_json: Mapping[str, Any]) -> Any:
    """The entry of this name; old files call it ``modality``."""
    return dataset_json.get("channel_names", dataset_json.get("modality", {}))


def _listed_cases(
    folder: Path, dataset_json: Mapping[str, Any], problems: Problems, lacking: Problems
) -> tuple[dict[str, Images], dict[str, Path]]:
    """Images and labels of the cases in dataset.json's entry ``dataset``."""
    entry = dataset_json.get("dataset", {})
    usable = isinstance(entry, dict) and all(_is_usable(name, case) for name, case in entry.items())
    if not usable:
        raise DatasetError(
            f"The entry 'dataset' of {folder / 'dataset.json'} cannot be used. Expected "
            '{"NAME": {"images": ["PATH", …], "label": "PATH"}, …}, NAME without slashes. Correct the file.'
        )
    # It writes the full paths into what it is given. An empty entry lists nothing.
    expanded = get_filenames_of_train_images_and_targets(str(folder), {**dataset_json, "dataset": entry})
    owner: dict[str, str] = {}
    for name, image in ((name, image) for name, case in expanded.items() for image in case["images"]):
        first = owner.setdefault(os.path.realpath(image), name)
        if first != name:
            problems[TWICE].append(f"{image} is listed for {first} and {name}")
        if not os.path.isfile(image):
            lacking[name].append(f"{image}, listed for {name}")
    images = {name: dict(enumerate(map(Path, case["images"]))) for name, case in expanded.items()}
    return images, {name: Path(case["label"]) for name, case in expanded.items()}


def _is_usable(name: str, case: Any) -> bool:
    images = case.get("images") if isinstance(case, dict) else None
    paths = [*images, case["label"]] if isinstance(images, list) and images and "label" in case else [None]
    return not re.search(r"[/\\]", name) and all(isinstance(path, str) for path in paths)


def _found_cases(folder: Path, ending: str, known: set[str], problems: Problems) -> dict[str, Images]:
    """What lies in imagesTr and is not among the known files."""
    found: dict[str, Images] = defaultdict(dict)
    others = []
    for file in _files(folder, problems):
        numbered = NUMBERED.fullmatch(file.name.removesuffix(ending))
        if known and os.path.realpath(file) in known:
            continue
        if not file.name.endswith(ending):
            others.append(file)
        elif numbered:
            found[numbered[1]][int(numbered[2])] = file
        else:
            problems[UNNUMBERED].append(file.name)
    for file in others:
        numbered = NUMBERED.fullmatch(without_ending(file.name))
        twin = found[numbered[1]].get(int(numbered[2])) if numbered and numbered[1] in found else None
        if twin:
            problems[TWICE].append(f"{twin.name} and {file.name}")
        elif numbered:
            problems[OTHER_ENDING].append(file.name)
    return found


def _check_channels(
    cases: Mapping[str, Images], channels: int, ending: str, problems: Problems, lacking: Problems
) -> None:
    # A file may hold all channels (colour pictures): image_checks.py counts what is inside.
    if all(set(images) == {0} for images in cases.values()):
        return
    for name, images in sorted(cases.items()):
        missing = [channel for channel in range(channels) if channel not in images]
        lacking[name].extend(f"{name}_{channel:04d}{ending}" for channel in missing)
        problems[SUPERFLUOUS].extend(file.name for channel, file in images.items() if channel >= channels)


def _check_labels(folder: Path, labels: Mapping[str, Path], ending: str, problems: Problems) -> None:
    known = {os.path.realpath(label) for label in labels.values()}
    for file in _files(folder, problems):
        name = without_ending(file.name)
        if os.path.realpath(file) in known:
            continue
        if file.name.endswith(ending):
            problems[NO_IMAGE].append(file.name)
        elif name != file.name and name in labels and not labels[name].is_file():
            problems[OTHER_ENDING].append(f"labelsTr/{file.name}")


def _files(folder: Path, problems: Problems) -> Iterator[Path]:
    """The files of a folder by name; none if there is no such folder."""
    try:
        names = sorted(os.listdir(folder)) if folder.exists() else []
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed: {error}. Expected a folder to read from.") from error
    for file in (folder / name for name in names):
        if file.is_file():
            yield file
        elif file.is_symlink() and not file.exists():
            problems[BROKEN].append(f"{folder.name}/{file.name}")


def _refuse(folder: Path, problems: Problems, **expected: Any) -> None:
    words = [
        f"{len(problems[kind])} {kind}: {some(problems[kind])}. {remedy.format(**expected)}"
        for kind, remedy in REMEDIES.items()
        if problems[kind]
    ]
    if words:
        raise DatasetError("\n".join([f"The files of {folder} are not as nnU-Net expects them.", *words]))
