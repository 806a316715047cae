"""Why pretrained weights do not fit a network, in words.

Owns the comparison of two tables of names and shapes. Must not import torch or nnU-Net.
"""

__all__ = ["Shapes", "describe_mismatch", "list_differences", "shapes_of"]

from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
AT_MOST = 4  # lines before "… and N more"


def shapes_of(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name → shape.

    Args:
        tensors: by name.
    """
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def list_differences(expected: Shapes, got: Shapes) -> str:
    """The first layers that differ, one a line.

    Args:
        expected: the network's frozen tensors.
        got: the checkpoint's tensors.
    """
    names = [name for name in (*expected, *(set(got) - set(expected))) if expected.get(name) != got.get(name)]
    lines = [
        f"  {n}: got {_shape(got, n)}, expected {_shape(expected, n)}" for n in _in_order(names, expected)
    ]
    rest = [f"  … and {len(lines) - AT_MOST} more"] if len(lines) > AT_MOST else []
    return "\n".join(lines[:AT_MOST] + rest)


def describe_mismatch(expected: Shapes, got: Shapes) -> str:
    """What differs, as sentences; the causes that explain most come first.

    Args:
        expected: the network's frozen tensors.
        got: the checkpoint's tensors.
    """
    questions = {
        "dimensions": _dimensions,
        "kind of blocks": _blocks,
        'input channels (take a network of as many, or see plans["slpt"]["stem"])': _input_channels,
        "encoder stages": lambda shapes: str(len(_widths(shapes))),
        "features per stage": lambda shapes: ", ".join(map(str, _widths(shapes))),
        "normalisation": _norm,
        "kernel of the first layer of each stage": _kernels,
    }
    answers = {what: (ask(got), ask(expected)) for what, ask in questions.items()}
    words = [
        f"{what}: got {here}, expected {there}" for what, (here, there) in answers.items() if here != there
    ]
    # In 2D everything else differs as well; the other answers would only hide the cause.
    if words and words[0].startswith("dimensions"):
        words = words[:1]
    return "; ".join(words) or "the number or shape of the layers inside the stages"


def _in_order(names: list[str], expected: Shapes) -> list[str]:
    known = [name for name in expected if name in set(names)]
    return known + sorted(set(names) - set(known))


def _shape(shapes: Shapes, name: str) -> str:
    return " x ".join(map(str, shapes[name])) or "a scalar" if name in shapes else "no such layer"


def _convolutions(shapes: Shapes, within: str = "encoder.") -> list[tuple[int, ...]]:
    return [shape for name, shape in shapes.items() if name.startswith(within) and len(shape) >= 4]


def _first_of_stages(shapes: Shapes) -> list[tuple[int, ...]]:
    stages = {int(name.split(".")[2]) for name in shapes if name.startswith("encoder.stages.")}
    firsts = (_convolutions(shapes, f"encoder.stages.{stage}.") for stage in sorted(stages))
    return [convolutions[0] for convolutions in firsts if convolutions]


def _dimensions(shapes: Shapes) -> str:
    return "/".join(sorted({f"{len(shape) - 2}D" for shape in _convolutions(shapes)})) or "no convolutions"


def _blocks(shapes: Shapes) -> str:
    return "residual" if any(".blocks." in name for name in shapes) else "plain"


def _input_channels(shapes: Shapes) -> str:
    return next((str(shape[1]) for shape in _convolutions(shapes)), "unknown")


def _widths(shapes: Shapes) -> list[int]:
    return [shape[0] for shape in _first_of_stages(shapes)]


def _norm(shapes: Shapes) -> str:
    if any(name.endswith("running_mean") for name in shapes):
        return "batch norm"
    return "instance norm" if any(name.endswith(".norm.weight") for name in shapes) else "none"


def _kernels(shapes: Shapes) -> str:
    return ", ".join(" x ".join(map(str, shape[2:])) for shape in _first_of_stages(shapes))
