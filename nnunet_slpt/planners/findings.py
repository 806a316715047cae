"""What a model and a dataset have in common and what not: one function a check, and the lists of them.

Owns the words and the thresholds. Each check looks at a ``Comparison`` and writes nothing. Must not import
the planner.
"""

__all__ = ["AT_FIRST", "FAR_SPACING", "OF_IMAGES"]

from collections.abc import Collection, Iterator

import numpy as np
from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import get_normalization_scheme

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.host_conventions import SPLIT_FILE
from nnunet_slpt.label_outputs import class_names, has_regions
from nnunet_slpt.networks import check_architecture
from nnunet_slpt.networks.punet.network import trained_classes
from nnunet_slpt.planners.comparison import Check, Comparison, Finding, in_words, next_choice
from nnunet_slpt.planners.old_plans import are_old
from nnunet_slpt.pretrained import check_no_lora, origin_of, pretrained_heads, shared_heads

FAR_SPACING = 1.5  # a voxel's edge that is longer or shorter by more than this factor


def plans_format(comparison: Comparison) -> Iterator[Finding]:
    """Plans of an older nnU-Net."""
    if are_old(comparison.model.plans):
        yield Finding(
            "note",
            "plans",
            "the model's are those of nnU-Net 2.2 or older; they are carried over in today's form.",
        )


def architecture(comparison: Comparison) -> Iterator[Finding]:
    """A network that can be tuned."""
    try:
        check_no_lora(comparison.model.pretrained)
        if not comparison.tuning.by_tokens:
            check_architecture(comparison.settings["architecture"]["network_class_name"])
    except ArchitectureError as error:
        yield Finding("error", "architecture", str(error))
    weights = comparison.model.pretrained.weights
    if comparison.tuning.by_tokens and any(name.startswith("adapters.") for name in weights):
        yield Finding(
            "error",
            "architecture",
            "this PUNet was tuned with adapters, which a next tuning would have no place for.",
            f"Plan from its pretraining{origin_of(comparison.model.plans)}.",
        )
    if comparison.settings.get("previous_stage") is not None:
        yield Finding(
            "error",
            "cascade",
            f"{comparison.model.configuration} is the second stage of a cascade: its input has channels "
            "that no image has.",
            "Pass the model of 3d_fullres, 3d_lowres or 2d.",
        )


def channels(comparison: Comparison) -> Iterator[Finding]:
    """As many channels, of the same names."""
    here, there = comparison.target.channels, comparison.model_channels
    got, expected = f"{len(here)} ({', '.join(here)})", f"{len(there)} ({', '.join(there)})"
    by_tokens = comparison.tuning.by_tokens
    if len(here) != len(there) and (by_tokens or comparison.stem is None):
        yield Finding(
            "error",
            "channels",
            f"the dataset has {got}, the model expects {expected}.",
            "--stem makes no PUNet fit: pretrain one on such images, or take another model."
            if by_tokens
            else "Pass --stem repeat or --stem average to make the model's first layer fit, or take another "
            "model.",
        )
    elif len(here) != len(there):
        pairs = ", ".join(f"{name} as {there[i % len(there)]}" for i, name in enumerate(here))
        yield Finding(
            "warning",
            "channels",
            f"the dataset has {got}, the model {expected}; the first layer's weights are made to fit "
            f"({comparison.stem}) and the images normalised so: {pairs}.",
            "See on validation cases whether the tuned model is good enough.",
        )
    elif [name.casefold() for name in here] != [name.casefold() for name in there]:
        yield Finding(
            "warning",
            "channels",
            f"the dataset's are called {', '.join(here)}, the model's {', '.join(there)}; they are taken in "
            "this order.",
            "Go on if they show the same; else put the files' channel numbers in the model's order.",
        )


def normalisation(comparison: Comparison) -> Iterator[Finding]:
    """What nnU-Net would do with such channels, against what the model was trained with."""
    schemes = comparison.settings["normalization_schemes"]
    for i, name in enumerate(comparison.target.channels):
        asked, kept = get_normalization_scheme(name).__name__, schemes[i % len(schemes)]
        if asked != kept:
            yield Finding(
                "warning",
                "normalisation",
                f"channel {i} ({name}) would get {asked} by its name; the model's {kept} is kept.",
                "Check that the intensities mean the same as in the model's images.",
            )


def labels(comparison: Comparison) -> Iterator[Finding]:
    """Which of the dataset's labels the model knows by name; the heads of the others start anew."""
    here, there = comparison.target.dataset_json["labels"], comparison.model.dataset_json.get("labels", {})
    by_tokens = comparison.tuning.by_tokens  # each class by itself, whatever the others are
    if by_tokens:  # a pretraining need not have trained all that it has outputs for
        shared: Collection[str] = trained_classes(comparison.model.pretrained.weights)
    else:
        shared = there if shared_heads(comparison.model.pretrained, here) else ()
    classes = class_names(here)
    known = [name for name in classes if name in shared]
    new = [name for name in classes if name not in shared]
    dropped = [name for name in class_names(there) if name not in here]
    words = [
        f"{title}: {', '.join(names)}"
        for title, names in (("known by name", known), ("new", new), ("not used", dropped))
        if names
    ]
    yield Finding("note", "labels", "; ".join(words) + ".")
    if not by_tokens and here and there and has_regions(here) != has_regions(there):
        kinds = ("overlapping regions", "ordinary labels")
        yield Finding(
            "note",
            "labels",
            f"the dataset has {kinds[not has_regions(here)]}, the model {kinds[not has_regions(there)]}; all "
            "heads start anew.",
        )
    elif not by_tokens and not pretrained_heads(comparison.model.pretrained):
        yield Finding(
            "note",
            "labels",
            "the model was tuned with prompts, which stay behind with their heads: all heads start anew.",
            "To start from heads, plan from the network that it was tuned in"
            f"{origin_of(comparison.model.plans)}.",
        )
    if "ignore" in here:
        yield Finding("note", "labels", "voxels with the ignore label teach nothing.")


def labelled_cases(comparison: Comparison) -> Iterator[Finding]:
    """How many of the cases can teach anything."""
    target = comparison.target
    if target.labelled < len(target.cases):
        some_are = "nnunet_slpt_preprocess takes these; nnUNetv2_preprocess would want a label for each case."
        none_is = f"The first to annotate: {next_choice(comparison.model, target)}"
        yield Finding(
            "note",
            "cases",
            f"{target.labelled} of {len(target.cases)} have a label.",
            some_are if target.labelled else none_is,
        )


def reader(comparison: Comparison) -> Iterator[Finding]:
    """The reader decides how the axes lie."""
    if comparison.reader != comparison.plans["image_reader_writer"]:
        yield Finding(
            "warning",
            "reader",
            f"images are read with {comparison.reader}, the model's were with "
            f"{comparison.plans['image_reader_writer']}.",
            "Check that the images are oriented as the model's were.",
        )


def split(comparison: Comparison) -> Iterator[Finding]:
    """The split that training reads, against the one that came with the dataset."""
    came, used = (folder / SPLIT_FILE for folder in (comparison.target.raw, comparison.target.preprocessed))
    if came.is_file() and used.is_file() and came.read_bytes() != used.read_bytes():
        yield Finding(
            "note",
            "split",
            f"{came} differs from {used}, which training reads and which stays.",
        )


def mirroring(comparison: Comparison) -> Iterator[Finding]:
    """A model that tells left from right was not shown mirrored images, and is not to be."""
    axes = comparison.model.pretrained.mirror_axes
    if axes is not None:
        along = f"along axis {' and '.join(map(str, axes))} alone" if axes else "along no axis"
        yield Finding(
            "note",
            "mirroring",
            f"the model was trained with mirroring {along}; so it is tuned, and so it predicts.",
            'To change that: "mirror_axes" in the block "slpt" of the plans.',
        )


def dimensions(comparison: Comparison) -> Iterator[Finding]:
    """2D against 3D."""
    flat = comparison.target.flat
    axes = len(comparison.settings["patch_size"])
    if flat and axes == 3:
        yield Finding(
            "error",
            "dimensions",
            "the dataset has flat images, the model's network is 3D.",
            "Take a 2d model.",
        )
    elif not flat and axes == 2:
        yield Finding(
            "note",
            "dimensions",
            "the model is 2D and the images are 3D: it will see them slice by slice.",
            "Take a 3d model if there is one and the slices hang together.",
        )


def spacing(comparison: Comparison) -> Iterator[Finding]:
    """The dataset's median spacing against the one that images are resampled to."""
    order = comparison.plans["transpose_forward"]
    wanted = np.array(comparison.settings["spacing"], dtype=float)
    got = np.median(comparison.target.spacings_mm, 0)[order][-len(wanted) :]
    factors = np.maximum(got / wanted, wanted / got)
    if (factors > FAR_SPACING).any():
        yield Finding(
            "warning",
            "spacing",
            f"the median is {in_words(got)} mm, the model expects {in_words(wanted)} mm: resampling changes "
            f"voxels up to {factors.max():.1f}-fold.",
            "Structures look as the model knows them only if its images were as fine; look at a preprocessed "
            "case, or take a model of nearer spacing.",
        )


# Those that need names and numbers alone, and those for which every image has to be read.
AT_FIRST: tuple[Check, ...] = (
    plans_format,
    architecture,
    channels,
    normalisation,
    labels,
    labelled_cases,
    reader,
    split,
    mirroring,
)
OF_IMAGES: tuple[Check, ...] = (dimensions, spacing)
