"""A synthetic abdominal CT scan: body, organ, distractors and lesions, painted tissue by tissue.

Each case depends on ``(seed, case)`` alone. Owns the anatomy and the scanner; ``synthetic_ct`` writes the
files. Needs numpy and SciPy; must not import torch or nnU-Net.

Axes are ``(Z, Y, X)``: z runs from feet to head, y from front to back, x from the patient's right to the
left. Positions and sizes of the anatomy are shares of the field of view in [-1, 1]; lesions are in mm.
"""

__all__ = ["SyntheticCT", "make_case"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rng = np.random.Generator
Point = Sequence[float] | NDArray[np.float64]

AIR_HU, FAT_HU, MUSCLE_HU, ORGAN_HU, BONE_HU = -1000.0, -95.0, 55.0, 105.0, 320.0


@dataclass(frozen=True, kw_only=True)
class SyntheticCT:
    """How a synthetic scan is made.

    Args:
        shape: voxels along (z, y, x).
        spacing_mm: size of a voxel along (z, y, x).
        lesions: fewest and most lesions in a case.
        lesion_radius_mm: smallest and largest radius of a lesion; small ones are more frequent.
        faint_share: share of the lesions with a low contrast.
        noise_hu: standard deviation of the noise.

    Raises:
        ValueError: a size, a number or a share is out of range.
    """

    shape: tuple[int, int, int] = (24, 72, 72)
    spacing_mm: tuple[float, float, float] = (3.0, 1.5, 1.5)
    lesions: tuple[int, int] = (1, 5)
    lesion_radius_mm: tuple[float, float] = (5.0, 12.0)
    faint_share: float = 0.25
    noise_hu: float = 10.0

    def __post_init__(self) -> None:
        """Check every value once."""
        if min(self.shape) < 8 or min(self.spacing_mm) <= 0:
            raise ValueError(
                f"shape and spacing: got {self.shape}, {self.spacing_mm}; expected >= 8 voxels, > 0 mm"
            )
        if not 0 <= self.lesions[0] <= self.lesions[1]:
            raise ValueError(f"lesions: got {self.lesions}; expected 0 <= fewest <= most")
        if not 0 < self.lesion_radius_mm[0] <= self.lesion_radius_mm[1]:
            raise ValueError(
                f"lesion_radius_mm: got {self.lesion_radius_mm}; expected 0 < smallest <= largest"
            )
        if not 0 <= self.faint_share <= 1 or self.noise_hu < 0:
            raise ValueError(
                f"faint_share {self.faint_share} must lie in [0, 1], noise_hu {self.noise_hu} be >= 0"
            )


class _Scan:
    """A scan in the making: the image in HU, the patient's own coordinates and the random numbers."""

    def __init__(self, rng: Rng, spec: SyntheticCT) -> None:
        """Lay smoothly deformed coordinates over an empty field of view."""
        self.rng, self.spec = rng, spec
        self.image: Floats = np.full(spec.shape, AIR_HU, dtype=np.float32)
        axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in spec.shape]
        self.z, self.y, self.x = (c + 0.035 * self.field(0.25) for c in np.meshgrid(*axes, indexing="ij"))

    def field(self, scale: float) -> Floats:
        """Draw smooth noise of mean 0 and standard deviation 1; ``scale`` is a share of the field of view."""
        noise = self.rng.standard_normal(self.spec.shape, dtype=np.float32)
        smooth = ndimage.gaussian_filter(noise, [scale * n / 2 for n in self.spec.shape])
        return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)

    def near(self, value: float, spread: float) -> float:
        """Draw a value that differs from patient to patient."""
        return float(value + self.rng.uniform(-spread, spread))

    def ellipsoid(self, centre: Point, radii: Point, spread: float = 0.04) -> Floats:
        """Give 1 - normalised distance from a jittered centre (z, y, x): positive inside, 1 at the centre."""
        offsets = zip((self.z, self.y, self.x), centre, radii, strict=True)
        squares = [
            ((axis - self.near(c, spread)) / (r * self.near(1, 2 * spread))) ** 2 for axis, c, r in offsets
        ]
        return np.asarray(1 - np.sqrt(sum(squares)), dtype=np.float32)

    def tube(self, start: Point, end: Point, radii: tuple[float, float]) -> Mask:
        """Mark a tube from start to end (z, y, x) that narrows from the first to the second radius."""
        a, b = np.asarray(start, dtype=np.float32), np.asarray(end, dtype=np.float32)
        position = np.stack([self.z - a[0], self.y - a[1], self.x - a[2]], axis=-1)
        along = np.clip(position @ (b - a) / max(float((b - a) @ (b - a)), 1e-6), 0, 1)
        distance = np.linalg.norm(position - along[..., None] * (b - a), axis=-1)
        return np.asarray(distance < radii[0] + along * (radii[1] - radii[0]), dtype=np.bool_)

    def paint(self, mask: Mask, hu: float, spread_hu: float = 0.0) -> None:
        """Fill the mask with one tissue."""
        self.image[mask] = self.near(hu, spread_hu)


def _paint_trunk(scan: _Scan) -> Mask:
    """Paint skin, fat, muscle, ribs and spine; return the cavity that holds the organs."""
    radius = np.hypot(scan.y / scan.near(0.78, 0.04), scan.x / scan.near(0.93, 0.04))
    fat = scan.near(0.86, 0.05)
    scan.paint(radius < 1, MUSCLE_HU)
    scan.paint(radius < 0.975, FAT_HU, 8)
    scan.paint(radius < fat, MUSCLE_HU, 6)
    cavity = radius < fat - 0.07
    scan.paint(cavity, FAT_HU, 8)
    angle = np.arctan2(scan.y, scan.x)
    ribs = np.sin(9 * angle + 4 * np.abs(scan.x) + scan.near(0, 3) + 3 * scan.z) > 0.55
    scan.paint(ribs & (np.abs(radius - fat + 0.045) < 0.03), BONE_HU, 60)
    _paint_spine(scan)
    return cavity


def _paint_spine(scan: _Scan) -> None:
    """Paint vertebrae and discs, the canal, the process and the muscles beside them."""
    flat = 50.0  # radius along z that turns an ellipsoid into a cylinder
    for side in (-1, 1):
        scan.paint(scan.ellipsoid((0, 0.56, 0.24 * side), (flat, 0.12, 0.16)) > 0, MUSCLE_HU, 6)
    vertebra = scan.ellipsoid((0, 0.4, 0), (flat, 0.13, 0.16), 0.02)
    disc = np.sin(5 * scan.z + scan.near(0, 3)) > 0.8
    scan.paint((vertebra > 0) & disc, 90, 10)
    scan.paint((vertebra > 0) & ~disc, BONE_HU + 200, 60)
    scan.paint((vertebra > 0.15) & ~disc, BONE_HU - 120, 40)
    scan.paint(scan.tube((-1, 0.58, 0), (1, 0.58, 0), (0.1, 0.1)) & ~disc, BONE_HU, 40)
    scan.paint(scan.tube((-1, 0.57, 0), (1, 0.57, 0), (0.055, 0.055)), 25, 8)


def _paint_neighbours(scan: _Scan, cavity: Mask) -> None:
    """Paint what may be taken for organ or lesion: bowel, stomach, kidneys, spleen, large vessels."""
    bowel = scan.field(0.1)
    scan.paint(cavity & (bowel > 0.1) & (scan.y < 0.25), 40, 15)
    scan.paint(cavity & (bowel > 1.1) & (scan.y < 0.25), -600, 200)
    stomach = scan.ellipsoid((0.3, -0.2, 0.42), (0.8, 0.24, 0.25)) + 0.06 * scan.field(0.15)
    scan.paint(cavity & (stomach > 0), 70, 15)
    scan.paint(cavity & (stomach > 0.15), 20, 15)
    scan.paint(cavity & (stomach > 0.15) & (scan.y < -0.26), -850, 50)
    spleen = scan.ellipsoid((0.4, 0.25, 0.6), (0.8, 0.27, 0.16)) + 0.06 * scan.field(0.15)
    scan.paint(cavity & (spleen > 0), 115, 12)
    for side in (-1, 1):
        kidney = scan.ellipsoid((-0.6, 0.38, 0.42 * side), (0.75, 0.18, 0.15))
        scan.paint(cavity & (kidney > 0), 175, 20)
        scan.paint(cavity & (kidney > 0.6), 30, 40)
    for x, hu in ((0.07, 180.0), (-0.13, 140.0)):
        scan.paint(scan.tube((-1, 0.2, x), (1, 0.2, x), (0.07, 0.065)), hu, 20)


def _paint_organ(scan: _Scan, cavity: Mask) -> Mask:
    """Paint the liver-like organ, its vessels and the gall bladder beside it; return the organ's mask."""
    right = scan.ellipsoid((0.1, -0.02, -0.4), (1.1, 0.48, 0.42))
    left = scan.ellipsoid((0.3, -0.3, 0.02), (0.75, 0.22, 0.42))
    bladder = scan.ellipsoid((-0.45, -0.2, -0.18), (0.5, 0.13, 0.11))
    wobble = 0.07 * scan.field(0.2) + 0.03 * scan.field(0.08)
    spine = scan.ellipsoid((0, 0.42, 0.12), (50, 0.36, 0.36)) + wobble
    organ = cavity & (np.maximum(right, left) + wobble > 0) & (np.maximum(spine, bladder) < 0)
    organ = _largest_piece(ndimage.binary_opening(organ))
    scan.paint(organ, ORGAN_HU, 10)
    scan.image[organ] += 3 * scan.field(0.06)[organ]
    scan.paint(cavity & (bladder > 0), 8, 8)
    inside = np.argwhere(organ)
    hilum = np.array([0.1, 0.02, -0.18])
    for _ in range(int(scan.rng.integers(5, 9)) if len(inside) else 0):
        tip = scan.rng.choice(inside) / (np.array(scan.spec.shape) - 1) * 2 - 1
        scan.paint(organ & scan.tube(hilum, hilum + 0.85 * (tip - hilum), (0.055, 0.02)), ORGAN_HU + 45, 10)
    return organ


def _largest_piece(mask: Mask) -> Mask:
    """Keep the largest connected piece of a mask."""
    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray((pieces == sizes.argmax()) & mask, dtype=np.bool_)


def _paint_lesions(scan: _Scan, organ: Mask) -> Mask:
    """Paint lesions wholly inside the organ, apart from each other; return their mask.

    A lesion keeps its radius away from the surface where there is room for it, else it goes where the most
    room is and is cut by the surface.
    """
    spec, rng = scan.spec, scan.rng
    lesions = np.zeros_like(organ)
    for _ in range(int(rng.integers(spec.lesions[0], spec.lesions[1] + 1))):
        low, high = spec.lesion_radius_mm
        radius_mm = low * (high / low) ** rng.uniform()
        room_mm = ndimage.distance_transform_edt(
            organ & ~ndimage.binary_dilation(lesions), sampling=spec.spacing_mm
        )
        centres = np.argwhere(room_mm > min(radius_mm, 0.9 * float(room_mm.max())))
        if not len(centres):
            break
        reach = _reach(scan, rng.choice(centres), radius_mm)
        lesion = (reach < 1) & (room_mm > 0)
        _paint_lesion(scan, lesion, reach)
        lesions |= lesion
    return lesions


def _reach(scan: _Scan, centre: NDArray[np.int64], radius_mm: float) -> Floats:
    """Give the distance from a lesion's centre in units of its radius, deformed: 1 on its surface."""
    indices = np.indices(scan.spec.shape).transpose(1, 2, 3, 0) - centre
    stretched = indices * np.array(scan.spec.spacing_mm) / (radius_mm * scan.rng.uniform(0.85, 1.15, 3))
    return np.asarray(np.linalg.norm(stretched, axis=-1) + 0.1 * scan.field(0.1), dtype=np.float32)


def _paint_lesion(scan: _Scan, lesion: Mask, reach: Floats) -> None:
    """Paint one lesion: faint, dark, or dark with a bright rim."""
    rng = scan.rng
    faint = rng.uniform() < scan.spec.faint_share
    contrast_hu = rng.uniform(-26, -16) if faint else rng.uniform(-65, -35)
    scan.image[lesion] = ORGAN_HU + contrast_hu + 3 * scan.field(0.05)[lesion]
    if not faint and rng.uniform() < 0.25:
        scan.paint(lesion & (reach > 0.75), ORGAN_HU + 25)


def _acquire(scan: _Scan) -> NDArray[np.int16]:
    """Blur the painted tissue, add bias and spatially correlated noise, and store it as the scanner does."""
    blurred = ndimage.gaussian_filter(scan.image, (0.3, 0.6, 0.6))
    noise = ndimage.gaussian_filter(scan.rng.standard_normal(scan.spec.shape), (0.3, 0.7, 0.7))
    noise *= scan.spec.noise_hu / noise.std()
    image = blurred + noise + 4 * scan.field(0.6)
    return np.asarray(np.clip(np.rint(image), -1024, 3071), dtype=np.int16)


def make_case(
    seed: int, case: int, spec: SyntheticCT | None = None
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Make one scan and its labels.

    Args:
        seed: seed of the dataset.
        case: number of the case; ``(seed, case)`` alone decides what comes out.
        spec: how scans are made.

    Returns:
        The image in HU and the labels (0 background, 1 organ, 2 lesion), both ``(Z, Y, X)``.
    """
    scan = _Scan(np.random.default_rng([seed, case]), spec or SyntheticCT())
    cavity = _paint_trunk(scan)
    _paint_neighbours(scan, cavity)
    organ = _paint_organ(scan, cavity)
    lesions = _paint_lesions(scan, organ)
    return _acquire(scan), organ.astype(np.uint8) + lesions.astype(np.uint8)
