"""Checks of the intensities: do the images hold what the model's normalisation was made for?

Owns the words and the thresholds. ZScoreNormalization makes every image alike, so of it only images that show
nothing are told. Writes nothing.
"""

__all__ = ["intensities"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.doctor.examined import Examined
from nnunet_slpt.doctor.looks import Range
from nnunet_slpt.doctor.words import share_in_words
from nnunet_slpt.host_conventions import INTENSITIES
from nnunet_slpt.planners.comparison import Finding

# CTNormalization cuts off what lies outside the model's 0.5th and 99.5th percentiles: 1 % of the voxels under
# its own labels. Tissue of another kind, lung instead of liver, loses a part and can still be told apart.
MUCH_CUT_OFF = 0.25
NEARLY_ALL_CUT_OFF = 0.9  # then all that is labelled looks the same to the network
# Without normalisation a network knows numbers of one size alone; within a task, scanners differ by a factor
# of two or three.
OTHER_SCALE = 10.0
# A single bright voxel sets the scale of RescaleTo01Normalization. In MR images 99 % of the voxels take a
# third of the range and more.
SQUEEZED = 0.05
# What tissue spans in Hounsfield units, fat to bone, is some hundreds: less is another scale.
LEAST_HOUNSFIELD_SPAN = 30.0
BYTE = 255.0


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel of all usable images, beside what the model knows of it.

    Args:
        name: in words.
        ranges: case → its intensities.
        foreground: a sample of the intensities under all labels; empty without labels.
        model: the model's statistics under its labels; empty if its plans have none.
    """

    name: str
    ranges: Mapping[str, Range]
    foreground: NDArray[np.float32]
    model: Mapping[str, float]

    def cases(self, wrong: Callable[[Range], bool]) -> list[str]:
        """Those of which this is true."""
        return [name for name, one in self.ranges.items() if wrong(one)]

    def of_all(self, cases: Sequence[str]) -> str:
        """How many of all these are, and which."""
        return f"{self.name}: in {share_in_words(cases, len(self.ranges))}"


def intensities(examined: Examined) -> Iterator[Finding]:
    """Each channel, by the model's normalisation of it."""
    schemes = examined.settings["normalization_schemes"]
    for number in range(len(examined.target.channels)):
        channel = _channel(examined, number)
        for check in (constant, *OF_SCHEME.get(schemes[number % len(schemes)], ())):
            yield from check(channel)


def constant(channel: Channel) -> Iterator[Finding]:
    """A channel that shows nothing; where all channels do, the image cannot be used at all."""
    if blank := channel.cases(lambda one: one.lowest == one.highest):
        yield _warning(
            f"{channel.of_all(blank)} all voxels are the same.",
            "Put the image there, or move these cases away.",
        )


def cut_off(channel: Channel) -> Iterator[Finding]:
    """CTNormalization: what is labelled here against the intensities that the model keeps apart."""
    if not len(channel.foreground) or not channel.model:
        return
    low, high = channel.model["percentile_00_5"], channel.model["percentile_99_5"]
    outside = float(np.mean((channel.foreground < low) | (channel.foreground > high)))
    if outside < MUCH_CUT_OFF:
        return
    median, mean = float(np.median(channel.foreground)), channel.model["mean"]
    away = abs(median - mean) / max(channel.model["std"], 1e-8)
    yield Finding(
        "error" if outside > NEARLY_ALL_CUT_OFF else "warning",
        "intensities",
        f"{channel.name}: the labelled voxels' median is {median:.4g}, {away:.1f} of the model's standard "
        f"deviations from its mean {mean:.4g}; {outside:.0%} of them lie outside {low:.4g} to {high:.4g}, "
        "where its CTNormalization cuts off.",
        "Check that the images hold Hounsfield units as the model's did; if they do, take a model of such "
        "tissue.",
    )


def hounsfield(channel: Channel) -> Iterator[Finding]:
    """CTNormalization: images that hold other numbers than the Hounsfield units that the model knows."""
    if channel.model.get("percentile_00_5", 0.0) >= 0 and channel.model.get("min", 0.0) >= 0:
        return  # the model's own images did not hold them either, or had nothing but bone labelled
    small = channel.cases(lambda one: one.high - one.low < LEAST_HOUNSFIELD_SPAN)
    # Air is about -1000, and even a crop of soft tissue has fat, about -100.
    positive = [name for name in channel.cases(lambda one: one.low >= 0) if name not in small]
    shifted = [name for name in positive if channel.ranges[name].highest > BYTE]
    bytes_ = [name for name in positive if name not in shifted]
    kinds = (
        (small, "span almost nothing, as if already normalised"),
        (shifted, "have no value below 0, neither air nor fat, as if 1024 were added"),
        (bytes_, "lie between 0 and 255, as if rescaled to a picture's"),
    )
    for cases, words in kinds:
        if cases:
            yield _warning(
                f"{channel.of_all(cases)} the intensities {words}; they do not look like Hounsfield units.",
                "Convert the images again from DICOM with RescaleSlope and RescaleIntercept.",
            )


def scale(channel: Channel) -> Iterator[Finding]:
    """NoNormalization: numbers of another size than the model knows."""
    if not channel.model:
        return
    low, high = channel.model["percentile_00_5"], channel.model["percentile_99_5"]
    if len(channel.foreground):
        what, (here_low, here_high) = "under the labels", np.percentile(channel.foreground, (0.5, 99.5))
    else:
        what = "of the median image"
        here_low, here_high = np.median([(one.low, one.high) for one in channel.ranges.values()], axis=0)
    spans = max(here_high - here_low, 1e-8), max(high - low, 1e-8)
    if here_high < low or here_low > high or max(spans) > OTHER_SCALE * min(spans):
        yield _warning(
            f"{channel.name}: intensities {what} are {here_low:.4g} to {here_high:.4g}, the model knows "
            f"{low:.4g} to {high:.4g} and gets them as they are (NoNormalization).",
            "Bring the images to the model's scale.",
        )


def outliers(channel: Channel) -> Iterator[Finding]:
    """RescaleTo01Normalization: a few voxels far from all others."""
    squeezed = channel.cases(
        lambda one: one.highest > one.lowest and (one.high - one.low) / (one.highest - one.lowest) < SQUEEZED
    )
    if squeezed:
        yield _warning(
            f"{channel.of_all(squeezed)} 99 % of the voxels share less than {SQUEEZED:.0%} of the range from "
            "darkest to brightest, which RescaleTo01Normalization spreads from 0 to 1.",
            "Cut off the few voxels that are far from all others.",
        )


def picture(channel: Channel) -> Iterator[Finding]:
    """RGBTo01Normalization: it asserts 0 to 255, and divides by 255."""
    if outside := channel.cases(lambda one: one.lowest < 0 or one.highest > BYTE):
        yield Finding(
            "error",
            "intensities",
            f"{channel.of_all(outside)} values lie outside 0 to 255; RGBTo01Normalization refuses them.",
            "Store the pictures with 8 bits a channel.",
        )
    if dark := channel.cases(lambda one: 0 <= one.lowest < one.highest <= 1):
        yield _warning(
            f"{channel.of_all(dark)} all values lie within 0 to 1; RGBTo01Normalization divides by 255.",
            "Store the pictures with 8 bits a channel.",
        )


def _channel(examined: Examined, number: int) -> Channel:
    usable = examined.target.usable
    there = examined.plans.get(INTENSITIES) or {}
    samples = [look.foreground[number] for look in usable if look.foreground]
    return Channel(
        name=f"channel {number} ({examined.target.channels[number]})",
        ranges={look.case.name: look.ranges[number] for look in usable},
        foreground=np.concatenate(samples) if samples else np.array([], dtype=np.float32),
        model=there.get(str(number % len(there)), {}) if there else {},
    )


def _warning(text: str, remedy: str) -> Finding:
    return Finding("warning", "intensities", text, remedy)


OF_SCHEME: dict[str, tuple[Callable[[Channel], Iterator[Finding]], ...]] = {
    "CTNormalization": (cut_off, hounsfield),
    "NoNormalization": (scale,),
    "RescaleTo01Normalization": (outliers,),
    "RGBTo01Normalization": (picture,),
}
