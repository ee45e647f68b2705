"""EXR files out. A file appears under its final name only when it is whole."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..errors import OutputError
from .image import ATTRIBUTE_TYPES, Image, ImageFile

BitDepth = Literal["as-plate", "half", "float"]
COMPRESSIONS = ("none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab")

_LOSSLESS_FOR_INTEGERS = ("none", "rle", "zips", "zip")
# Deflate effort: a quarter less time than OpenEXR's own 4 for files that are under 1 % larger.
_ZIP_LEVEL = 2
_BAND_ROWS = 256  # a multiple of every compression's chunk; bounds the memory of a conversion
_HALF_MAX = np.float16(65504.0)
_SUFFIX = ".part"
_LEAST_FREE_BYTES = 1 << 20  # below this a failed write is put down to a full disk
_FOREIGN_CONTAINERS = ("tiff:", "jpeg:", "png:", "ICCProfile")


def write_exr(
    path: str | Path,
    image: ImageFile | Image,
    bit_depth: BitDepth = "as-plate",
    compression: str = "zip",
) -> int:
    """Write all parts and channels; returns how many samples were too large for half and were held at
    +-65504.

    "as-plate" keeps float channels float and integer channels integer and stores the rest as half, so every
    sample that was not replaced is the plate's bit for bit. NaN and Inf stay what they are. Folders are made.
    Raises OutputError.
    """
    path = Path(path)
    if compression not in COMPRESSIONS:
        raise OutputError(
            f"Unknown EXR compression '{compression}'. Choose one of {', '.join(COMPRESSIONS)}."
        )
    parts = image.parts if isinstance(image, ImageFile) else (image,)
    has_integers = any(block.samples.dtype == np.uint32 for part in parts for block in part.blocks)
    if has_integers and compression not in _LOSSLESS_FOR_INTEGERS:
        compression = "zip"
    specs = [_spec(part, bit_depth, compression, len(parts), k) for k, part in enumerate(parts)]
    with whole_file(path) as unfinished:
        clamped = _write_parts(unfinished, path, parts, specs)
        if has_integers:
            _mark_integer_channels(unfinished, parts)
        _require_readable(unfinished, path, parts)
    return clamped


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Gives a hidden path beside `path` to write to; it takes the final name only when the block ends
    without an error.

    Makes the folder. Any OSError inside becomes an OutputError.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise _output_error(path, error.strerror or str(error), error.errno) from error
    finally:
        _discard(unfinished)


def remove_unfinished(folder: str | Path) -> None:
    """Delete what killed runs left half written. Call it only while holding the folder."""
    for leftover in Path(folder).glob(f".*{_SUFFIX}"):
        _discard(leftover)


def _discard(unfinished: Path) -> None:
    try:
        unfinished.unlink()
    except OSError:
        return  # already renamed, or the folder itself is what cannot be written


def _output_error(path: Path, reason: str, number: int | None = None) -> OutputError:
    folder = next((parent for parent in path.parents if parent.is_dir()), Path("."))
    full = number in (errno.ENOSPC, errno.EDQUOT) or shutil.disk_usage(folder).free < _LEAST_FREE_BYTES
    if full:
        return OutputError(
            f"Cannot write {path}: the disk of {folder} is full. Free space and start again; what "
            f"is finished is kept."
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM) or not os.access(folder, os.W_OK):
        return OutputError(
            f"Cannot write {path}: {folder} is read-only. Choose another --out folder or change its "
            f"permissions."
        )
    return OutputError(
        f"Cannot write {path}: {reason}. Check the folder and the space on its disk; what is "
        f"finished is kept."
    )


def _spec(part: Image, bit_depth: BitDepth, compression: str, part_count: int, index: int) -> Any:
    formats = [_written_format(kind, bit_depth) for kind in part.channel_formats]
    widest = "half" if set(formats) == {"half"} else "float"
    data, display = part.data_window, part.display_window
    spec = oiio.ImageSpec(data.width, data.height, len(part.channels), widest)
    spec.channelnames = part.channels
    if len(set(formats)) > 1:
        spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in formats)
    spec.x, spec.y = data.x, data.y
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = (
        display.x,
        display.y,
        display.width,
        display.height,
    )
    # Else today's date is added, and the same input gives another file tomorrow.
    spec.attribute("DateTime", "")
    for name, value in part.metadata.items():
        if not name.startswith(_FOREIGN_CONTAINERS):
            _set_attribute(spec, name, value, part.metadata_types.get(name))
    deflates = compression in ("zip", "zips")
    spec.attribute("compression", f"{compression}:{_ZIP_LEVEL}" if deflates else compression)
    if part_count > 1:
        spec.attribute("oiio:subimagename", part.part_name or f"part{index}")
    elif part.part_name:
        spec.attribute("name", part.part_name)
    return spec


def _written_format(stored: str, bit_depth: BitDepth) -> str:
    if stored == "uint32":
        return "float"  # carried as bits, see _mark_integer_channels
    if bit_depth == "as-plate":
        return "float" if stored == "float" else "half"
    return bit_depth


def _set_attribute(spec: Any, name: str, value: Any, kind: str | None) -> None:
    if kind is None:
        kind = ATTRIBUTE_TYPES.get(type(value)) or f"float[{len(value)}]"
    spec.attribute(name, oiio.TypeDesc(kind), value)


def _write_parts(unfinished: Path, path: Path, parts: Sequence[Image], specs: list[Any]) -> int:
    out: Any = oiio.ImageOutput.create("openexr")
    opened = out.open(str(unfinished), specs) if len(specs) > 1 else out.open(str(unfinished), specs[0])
    if not opened:
        raise _output_error(path, _reason(out, unfinished))
    clamped = 0
    try:
        for k, (part, spec) in enumerate(zip(parts, specs, strict=True)):
            if k > 0 and not out.open(str(unfinished), spec, "AppendSubimage"):
                raise _output_error(path, _reason(out, unfinished))
            for top in range(0, part.height, _BAND_ROWS):
                band, held = _band(part, spec, top, min(top + _BAND_ROWS, part.height))
                clamped += held
                if not out.write_scanlines(spec.y + top, spec.y + top + len(band), 0, band):
                    raise _output_error(path, _reason(out, unfinished))
    finally:
        closed = out.close()
    if not closed:
        raise _output_error(path, _reason(out, unfinished))
    return clamped


def _reason(out: Any, unfinished: Path) -> str:
    lines = (out.geterror() or oiio.geterror() or "OpenImageIO gives no reason").splitlines()
    return lines[0].replace(f'"{unfinished}"', "the file").rstrip(". ")


def _band(part: Image, spec: Any, top: int, bottom: int) -> tuple[NDArray[Any], int]:
    """Rows top..bottom as the file stores them, (rows, W, C), and how many samples were held at +-65504."""
    rows = [block.samples[top:bottom] for block in part.blocks]
    if len(rows) == 1 and str(spec.format) == "half":
        return _as_half(rows[0])
    kinds = [str(kind) for kind in (spec.channelformats or (spec.format,) * spec.nchannels)]
    stored = np.float16 if str(spec.format) == "half" else np.float32
    band = np.empty((bottom - top, part.width, spec.nchannels), stored)
    held, first = 0, 0
    for samples in rows:
        end = first + samples.shape[2]
        is_half = np.array([kind == "half" for kind in kinds[first:end]])
        if samples.dtype == np.uint32:
            band.view(np.uint32)[..., first:end] = samples
        elif samples.dtype == np.float32 and is_half.any():
            halves, count = _as_half(samples[..., is_half])
            band[..., first:end][..., is_half] = halves
            band[..., first:end][..., ~is_half] = samples[..., ~is_half]
            held += count
        else:
            band[..., first:end] = samples
        first = end
    return band, held


def _as_half(rows: NDArray[Any]) -> tuple[NDArray[np.float16], int]:
    """Contiguous float16; finite values that would become Inf are held at +-65504 and counted."""
    if rows.dtype == np.float16:
        return np.ascontiguousarray(rows), 0
    samples = np.ascontiguousarray(rows).reshape(len(rows), -1)
    # As NumPy rounds, in a fifth of its time. (A sum would turn -0 into 0.)
    halves = cv2.subtract(samples, 0, dtype=cv2.CV_16F).reshape(rows.shape)
    special = (halves.view(np.uint16) & 0x7C00) == 0x7C00  # Inf or NaN, by the bits: faster than isfinite
    if not special.any():
        return halves, 0
    unusual = np.asarray(rows[special])
    with np.errstate(over="ignore", invalid="ignore"):
        stored = unusual.astype(np.float16)  # keeps the bits of a NaN
    too_large = np.isinf(stored) & np.isfinite(unusual)
    stored[too_large] = np.copysign(_HALF_MAX, stored[too_large])
    halves[special] = stored
    return halves, int(np.count_nonzero(too_large))


def _require_readable(unfinished: Path, path: Path, parts: Sequence[Image]) -> None:
    """Decode the last rows of each part: a write that was cut short shows there."""
    check = oiio.ImageInput.open(str(unfinished))
    if check is None:
        raise _output_error(path, f"the written file cannot be read back ({oiio.geterror().splitlines()[0]})")
    try:
        for k, part in enumerate(parts):
            bottom = part.data_window.y + part.height
            rows = check.read_scanlines(k, 0, bottom - 1, bottom, 0, 0, 1, oiio.UNKNOWN)
            if rows is None:
                raise _output_error(path, "the written file is not whole")
    finally:
        check.close()


def _mark_integer_channels(unfinished: Path, parts: Sequence[Image]) -> None:
    """Turn channels that carry uint32 bits from FLOAT into UINT in the header.

    OpenImageIO takes one sample type for a call and would scale integers to 0..1; both types are 4 bytes
    wide and the lossless compressions see bytes, so only the type in the channel list differs (OpenEXR
    file layout, "chlist").
    """
    integer = {
        (k, name)
        for k, part in enumerate(parts)
        for block in part.blocks
        if block.samples.dtype == np.uint32
        for name in block.channels
    }
    with unfinished.open("r+b") as stream:
        header = stream.read(1 << 20)
        for part_index, name, offset in _channel_types(header):
            if (part_index, name) in integer:
                stream.seek(offset)
                stream.write(struct.pack("<i", 0))


def _channel_types(header: bytes) -> Iterator[tuple[int, str, int]]:
    """(part, channel name, offset of its pixel type) of every channel in an EXR header."""
    position, part_index = 8, 0  # behind the magic number and the version
    is_multi_part = bool(struct.unpack_from("<I", header, 4)[0] & 0x1000)
    while header[position]:
        while header[position]:
            name, position = _text(header, position)
            _, position = _text(header, position)
            size = struct.unpack_from("<i", header, position)[0]
            position += 4
            at = position
            while name == "channels" and header[at]:
                channel, at = _text(header, at)
                yield part_index, channel, at
                at += 16
            position += size
        position, part_index = position + 1, part_index + 1
        if not is_multi_part:
            return


def _text(header: bytes, position: int) -> tuple[str, int]:
    end = header.index(b"\0", position)
    return header[position:end].decode(), end + 1
