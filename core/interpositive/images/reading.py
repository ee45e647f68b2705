"""Image files in: EXR (half, float, integer, multi-part), DPX, TIFF, PNG, JPEG and what else OpenImageIO
reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..errors import DamagedFrameError, MissingFramesError, PlateError
from .image import Block, Image, ImageFile, Window

# What describes the container rather than the picture, and OpenImageIO's own guesses.
_CONTAINER_ATTRIBUTES = frozenset(
    "compression name oiio:subimages oiio:subimagename oiio:RowsPerChunk oiio:ColorSpace oiio:miplevels "
    "oiio:UnassociatedAlpha oiio:BitsPerSample planarconfig thumbnail_width thumbnail_height "
    "thumbnail_nchannels thumbnail_image openexr:levelmode openexr:roundingmode openexr:lineOrder "
    "openexr:dwaCompressionLevel".split()
)
_DTYPES = {"half": np.float16, "float": np.float32, "uint": np.uint32}
_THREAD_ATTRIBUTES = ("threads", "exr_threads")  # of OpenImageIO; 0: as many as there are cores
_BAND_ROWS = 512  # a multiple of every EXR compression's chunk
_LARGE_PIXELS = 4096 * 2160
_FORMAT_NAMES = {"uint": "uint32", "double": "float", "int": "float", "int16": "float", "int8": "float"}


@contextmanager
def io_threads(threads: int) -> Iterator[None]:
    """Decode and encode files with this many threads each, within the block; elsewhere all cores do it."""
    for attribute in _THREAD_ATTRIBUTES:
        oiio.attribute(attribute, threads)
    try:
        yield
    finally:
        for attribute in _THREAD_ATTRIBUTES:
            oiio.attribute(attribute, 0)


def read_image_file(path: str | Path) -> ImageFile:
    """Read every channel of every part, EXR samples as they are stored, others as float code values 0..1.

    Raises MissingFramesError (no such file), DamagedFrameError (truncated, not an image), PlateError.
    """
    path = Path(path)
    opened = _open(path)
    try:
        parts: list[Image] = []
        while opened.seek_subimage(len(parts), 0):
            parts.append(_read_part(opened, len(parts), path))
            if opened.format_name() != "openexr":
                break
        return ImageFile(tuple(parts), path, opened.format_name())
    finally:
        opened.close()


def read_header(path: str | Path) -> Image:
    """Windows, channels and metadata of the first part; its samples are zeros that take no memory.

    Raises MissingFramesError, DamagedFrameError, PlateError.
    """
    path = Path(path)
    opened = _open(path)
    try:
        spec = opened.spec()
        empty = np.broadcast_to(np.float16(0), (spec.height, spec.width, spec.nchannels))
        return _image(opened, spec, [Block(tuple(spec.channelnames), empty)])
    finally:
        opened.close()


def content_sha256(path: str | Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal. Raises MissingFramesError, PlateError."""
    path = Path(path)
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise PlateError(f"Cannot read {path}: {error.strerror}.") from error


def _open(path: Path) -> Any:
    if not path.is_file():
        raise _missing(path)
    if path.stat().st_size == 0:
        raise DamagedFrameError(f"{path} is empty (0 bytes). Copy or render the frame again.")
    opened = oiio.ImageInput.open(str(path))
    if opened is None:
        reason = _one_line(oiio.geterror())
        try:
            path.open("rb").close()
        except OSError as error:
            raise PlateError(f"Cannot read {path}: {error.strerror}. Check its permissions.") from error
        raise DamagedFrameError(
            f"{path} is damaged or not an image ({reason}). Copy or render the frame again."
        )
    return opened


def _missing(path: Path) -> MissingFramesError:
    return MissingFramesError(f"There is no file {path}. Check the path, or render the frame.")


def _one_line(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _read_part(opened: Any, index: int, path: Path) -> Image:
    spec = opened.spec()
    if spec.deep:
        raise PlateError(f"{path} is a deep image. Flatten it (DeepToImage) and pass the flat plate.")
    blocks: list[Block] = []
    for first, end, kind in _runs(spec, opened.format_name()):
        samples = _read_samples(opened, spec, index, first, end, kind)
        if samples is None or opened.has_error:
            reason = _one_line(opened.geterror())
            raise DamagedFrameError(
                f"{path} is truncated or damaged ({reason}). Copy or render the frame again."
            )
        blocks.append(Block(tuple(spec.channelnames[first:end]), samples))
    return _image(opened, spec, blocks)


def _read_samples(opened: Any, spec: Any, index: int, first: int, end: int, kind: str) -> NDArray[Any] | None:
    """Channels first..end, (H, W, end - first), or None where the file cannot be decoded.

    Large scanline files are read in bands: OpenImageIO would hold a second copy of the whole frame.
    """
    if spec.tile_width or spec.width * spec.height < _LARGE_PIXELS or opened.format_name() != "openexr":
        whole: NDArray[Any] | None = opened.read_image(index, 0, first, end, kind)
        return whole
    samples = np.empty((spec.height, spec.width, end - first), _DTYPES[kind])
    for top in range(0, spec.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, spec.height)
        band = opened.read_scanlines(index, 0, spec.y + top, spec.y + bottom, 0, first, end, kind)
        if band is None:
            return None
        samples[top:bottom] = band
    return samples


def _image(opened: Any, spec: Any, blocks: list[Block]) -> Image:
    attributes = [
        entry
        for entry in spec.extra_attribs
        if entry.name not in _CONTAINER_ATTRIBUTES and entry.value is not None
    ]
    if opened.format_name() == "openexr" and spec.get_string_attribute("colorInteropID"):
        attributes = [entry for entry in attributes if not entry.name.startswith("oiio:ColorSpace")]
    part_name = spec.get_string_attribute("name") or spec.get_string_attribute("oiio:subimagename")
    return Image.from_blocks(
        blocks,
        Window(spec.x, spec.y, spec.width, spec.height),
        Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height),
        _formats(spec),
        {entry.name: entry.value for entry in attributes},
        part_name,
        {entry.name: str(entry.type) for entry in attributes},
    )


def _formats(spec: Any) -> list[str]:
    kinds = [str(kind) for kind in (spec.channelformats or (spec.format,) * spec.nchannels)]
    bits = spec.get_int_attribute("oiio:BitsPerSample")
    if bits in (10, 12):
        return [f"uint{bits}"] * spec.nchannels
    return [_FORMAT_NAMES.get(kind, kind) for kind in kinds]


def _runs(spec: Any, file_format: str) -> list[tuple[int, int, str]]:
    """(first, end, OpenImageIO type) of neighbouring channels that one array can hold without loss.

    Half beside float is read as float, which is exact, so that the file is decoded once.
    """
    kinds = _formats(spec)
    if file_format != "openexr":
        return [(0, spec.nchannels, "float")]
    floating = "half" if "float" not in kinds else "float"
    runs: list[tuple[int, int, str]] = []
    for k, kind in enumerate(kinds):
        stored = "uint" if kind == "uint32" else floating
        if runs and runs[-1][2] == stored:
            runs[-1] = (runs[-1][0], k + 1, stored)
        else:
            runs.append((k, k + 1, stored))
    return runs
