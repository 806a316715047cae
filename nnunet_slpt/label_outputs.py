"""The labels of a dataset.json, and which output of a network belongs to which of them.

Owns what nnU-Net's LabelManager makes of names and values. Must not import anything of this package.
"""

__all__ = ["Labels", "class_names", "has_regions", "head_rows", "output_channels", "values_of"]

from collections.abc import Mapping, Sequence

# A label's value, or the values that make up a region, as in dataset.json.
Labels = Mapping[str, int | Sequence[int]]


def head_rows(pretrained: Labels, target: Labels) -> dict[int, int]:
    """Output channel of the target's heads → output channel of the pretrained ones, for labels of one name.

    Names are compared exactly. Nothing is shared between ordinary labels and regions: the former compete
    (softmax), the latter do not (sigmoid).

    Args:
        pretrained: ``labels`` of the pretrained network's dataset.json.
        target: ``labels`` of the dataset to be tuned for.
    """
    if has_regions(pretrained) != has_regions(target):
        return {}
    there, here = output_channels(pretrained), output_channels(target)
    return {here[name]: there[name] for name in here if name in there}


def has_regions(labels: Labels) -> bool:
    """Whether the labels overlap (regions) instead of excluding each other."""
    return any(not isinstance(value, int) and len(value) > 1 for value in labels.values())


def values_of(labels: Labels) -> dict[str, tuple[int, ...]]:
    """Name → the values in a label map that belong to it; a region has several.

    Args:
        labels: of dataset.json.
    """
    return {name: (of,) if isinstance(of, int) else tuple(of) for name, of in labels.items()}


def output_channels(labels: Labels) -> dict[str, int]:
    """Name → output channel, the background's too if there is one.

    As in nnU-Net's LabelManager (utilities/label_handling/label_handling.py).

    Args:
        labels: of dataset.json.
    """
    values = {name: value for name, value in values_of(labels).items() if name != "ignore"}
    if has_regions(labels):
        regions = [name for name, value in values.items() if set(value) != {0}]
        return {name: channel for channel, name in enumerate(regions)}
    ordered = sorted({value[0] for value in values.values()})
    return {name: ordered.index(value[0]) for name, value in values.items()}


def class_names(labels: Labels) -> tuple[str, ...]:
    """The names that have an output, but for the background, in the order of the outputs.

    Args:
        labels: of dataset.json.
    """
    channels = output_channels(labels)
    background = {name for name, values in values_of(labels).items() if {*values} == {0}}
    return tuple(name for name in sorted(channels, key=channels.__getitem__) if name not in background)
