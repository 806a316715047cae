"""What is wrong with image files that the readers do not notice.

SimpleITK pads a NIfTI or GIPL file that is too short with zeros or with arbitrary values; in NIfTI files it
turns NaN and infinity into zero; it does not check the checksums of compressed files. The readers report all
other damage themselves. Must import nothing but numpy.
"""

__all__ = ["damage"]

import gzip
import math
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

BLOCK_BYTES = 1 << 20
HEADER_BYTES = 1024  # more than any header whose numbers are looked at
GZIP_MAGIC = b"\x1f\x8b"
# Length of a NIfTI header → where it has: axes (number, lengths), a voxel's type and bits, the voxels' start.
NIFTI = {348: ("8h", 40, 70, "f", 108), 540: ("8q", 16, 12, "q", 168)}
NIFTI_FLOATS = {(16, 32): "f4", (64, 64): "f8"}  # type and bits → numpy's type
FURTHEST_START = 1 << 30  # a header that says more is damaged
GIPL_HEADER_BYTES = 256
# Number of the voxels' type in a GIPL header → bytes of a voxel.
GIPL_BYTES = {7: 1, 8: 1, 15: 2, 16: 2, 31: 4, 32: 4, 64: 4, 65: 8}
# Lines in the headers of MetaImage and NRRD, without punctuation.
PACKED = ([b"compresseddata", b"true"], [b"encoding", b"gzip"], [b"encoding", b"gz"])
GZIP_OR_ZLIB = 47  # zlib's wbits


class Layout(NamedTuple):
    """Where a file has its voxels."""

    start: int = 0  # byte
    voxels: int = 0  # number
    voxel_bytes: int = 0
    floats: str = ""  # numpy's type if it may hold NaN

    @property
    def bytes(self) -> int:
        """How long the file has to be."""
        return self.start + self.voxels * self.voxel_bytes


def damage(file: Path) -> str:
    """What is wrong with the bytes of a file, in words; empty if nothing is.

    Args:
        file: an image of any of nnU-Net's formats.

    Raises:
        OSError: it cannot be opened.
    """
    name = file.name.lower()
    try:
        if name.endswith((".mha", ".nrrd")):
            _unpack(file)
        with _open(file) as stream:
            start = stream.read(HEADER_BYTES)
            stream.seek(0)
            layout = Layout()
            if name.endswith((".nii", ".nii.gz")):
                layout = _nifti_layout(start)
            elif name.endswith(".gipl"):
                layout = _gipl_layout(start)
            length, wrong = _read_through(stream, layout)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"damaged or cut short: {error}"
    if length == 0:
        return "empty: 0 bytes"
    if length < layout.bytes:
        return f"cut short: {length} bytes, expected {layout.bytes}"
    return f"{wrong} of {layout.voxels} voxels are NaN or infinite" if wrong else ""


def _open(file: Path) -> BinaryIO | gzip.GzipFile:
    # By its bytes, as the readers do: some programs write unpacked files under the name .nii.gz.
    stream = file.open("rb")
    if not stream.peek(2).startswith(GZIP_MAGIC):
        return stream
    stream.close()
    return gzip.open(file)


def _read_through(stream: BinaryIO | gzip.GzipFile, layout: Layout) -> tuple[int, int]:
    """Number of bytes, and of voxels that are NaN or infinite; at a gzip file's end its sum is checked."""
    length, wrong = len(stream.read(layout.start)), 0
    for block in iter(partial(stream.read, BLOCK_BYTES), b""):
        if layout.floats:
            inside = block[: max(0, layout.bytes - length)]
            count = len(inside) // layout.voxel_bytes
            wrong += count - int(np.isfinite(np.frombuffer(inside, layout.floats, count)).sum())
        length += len(block)
    return length, wrong


def _nifti_layout(header: bytes) -> Layout:
    for order in "<>":
        (header_bytes,) = struct.unpack(f"{order}i", header[:4].ljust(4, b"\0"))
        if header_bytes in NIFTI and len(header) >= header_bytes:
            axes, axes_at, type_at, offset, offset_at = NIFTI[header_bytes]
            dimensions, *shape = struct.unpack_from(f"{order}{axes}", header, axes_at)
            kind, bits = struct.unpack_from(f"{order}2h", header, type_at)
            (start,) = struct.unpack_from(f"{order}{offset}", header, offset_at)
            if not 0 <= start <= FURTHEST_START or min(shape) < 0:
                break
            floats = order + NIFTI_FLOATS[kind, bits] if (kind, bits) in NIFTI_FLOATS else ""
            return Layout(int(start), math.prod(shape[:dimensions]), bits // 8, floats)
    return Layout()


def _gipl_layout(header: bytes) -> Layout:
    *shape, kind = struct.unpack(">5H", header[:10].ljust(10, b"\0"))
    voxels = math.prod(max(1, int(size)) for size in shape)
    return Layout(GIPL_HEADER_BYTES, voxels, GIPL_BYTES.get(kind, 0))


def _unpack(file: Path) -> None:
    with file.open("rb") as stream:
        packed = False
        for line in stream:
            words = line.lower().replace(b"=", b" ").replace(b":", b" ").split()
            packed |= words in PACKED
            if not words or words[0] == b"elementdatafile":
                break
        unpacking = zlib.decompressobj(GZIP_OR_ZLIB)
        for block in iter(partial(stream.read, BLOCK_BYTES), b"") if packed else ():
            unpacking.decompress(block)
