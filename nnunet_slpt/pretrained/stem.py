"""The first layer of a pretrained network, made to fit images with another number of channels.

PyTorch alone; must not import anything else of this package but ``config`` and ``errors``.
"""

__all__ = ["adapted_stem", "stem_name"]

from collections.abc import Mapping

from torch import Tensor

from nnunet_slpt.config import STEMS
from nnunet_slpt.errors import ConfigError, one_of


def stem_name(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The name of the first convolution's weight, which reads the images; empty if there is none.

    Args:
        shapes: name → shape of a network's tensors, in the order in which the network holds them.
    """
    return next((name for name, shape in shapes.items() if len(shape) >= 4), "")


def adapted_stem(weight: Tensor, channels: int, how: str) -> Tensor:
    """The same convolution for another number of input channels.

    ``repeat`` takes the old channels in turn; ``average`` takes their mean for each new one. Both are
    rescaled by old / new, so that features keep their size. If all channels show the same image, ``average``
    answers as the old weights do, and so does ``repeat`` if new is a multiple of old. Added up in double
    precision and in a fixed order, so that every machine gets the same bits.

    Args:
        weight: (F, old channels, *kernel).
        channels: how many the images have now; as many as before leave the weights as they are.
        how: ``repeat`` or ``average``.

    Returns:
        (F, channels, *kernel), of the same type.

    Raises:
        ConfigError: ``how`` is neither.
    """
    if how not in STEMS:
        raise ConfigError(f"{one_of('stem', how, STEMS)}.")
    old = weight.shape[1]
    if channels == old:
        return weight
    wide = weight.double()
    if how == "average":
        mean = sum(wide.unbind(1)[1:], wide[:, 0]) / old
        wide = mean.unsqueeze(1)
    turns = [channel % wide.shape[1] for channel in range(channels)]
    return (wide[:, turns] * (old / channels)).to(weight.dtype)
