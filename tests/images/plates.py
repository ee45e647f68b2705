"""Small plates for the tests of this folder."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from interpositive.images.image import Image, ImageFile

REAL_PLATES = Path(__file__).parents[2].parent / "shared" / "data" / "exr_plates"


def every_half() -> NDArray[np.float16]:
    """(256, 256) with each of the 65536 half bit patterns once: -0.0, denormals, Inf, NaN payloads."""
    return np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)


def hard_floats(height: int, width: int) -> NDArray[np.float32]:
    values = np.random.default_rng(3).normal(scale=100, size=(height, width)).astype(np.float32)
    values.ravel()[:6] = [-0.0, 1e-42, np.inf, -np.inf, 3.4e38, -60]
    values.view(np.uint32).ravel()[6:9] = [0x7FC12345, 0x00000001, 0x80000001]
    return values


def bits_of(image: Image) -> dict[str, NDArray[Any]]:
    """Bit patterns of each channel as it is held."""
    unsigned = {2: np.uint16, 4: np.uint32}
    return {
        name: np.ascontiguousarray(block.samples[..., k]).view(unsigned[block.samples.dtype.itemsize])
        for block in image.blocks
        for k, name in enumerate(block.channels)
    }


def assert_same_bits(one: ImageFile, other: ImageFile) -> None:
    assert len(one.parts) == len(other.parts)
    for a, b in zip(one.parts, other.parts, strict=True):
        assert (a.data_window, a.display_window) == (b.data_window, b.display_window)
        assert dict(zip(a.channels, a.channel_formats, strict=True)) == dict(
            zip(b.channels, b.channel_formats, strict=True)
        )
        bits_a, bits_b = bits_of(a), bits_of(b)
        assert bits_a.keys() == bits_b.keys()
        for name, values in bits_a.items():
            np.testing.assert_array_equal(values, bits_b[name], err_msg=name)


def write_code_values(path: Path, bits: int = 8, attributes: dict[str, Any] | None = None) -> None:
    """A picture file of a 32 x 24 ramp, of whatever format the suffix says."""
    spec = oiio.ImageSpec(32, 24, 3, "uint8" if bits == 8 else "uint16")
    if bits in (10, 12):
        spec.attribute("oiio:BitsPerSample", bits)
    for name, value in (attributes or {}).items():
        spec.attribute(name, value)
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec), out.geterror()
    ramp = np.linspace(0, 1, 32 * 24 * 3, dtype=np.float32).reshape(24, 32, 3)
    assert out.write_image(ramp), out.geterror()
    out.close()


def raw_exr_header(path: Path) -> dict[str, tuple[str, bytes]]:
    """Attribute name -> (type, bytes) of a single-part EXR, read without OpenImageIO."""
    header, position = path.read_bytes(), 8
    attributes = {}

    def text(start: int) -> tuple[str, int]:
        end = header.index(b"\0", start)
        return header[start:end].decode(), end + 1

    while header[position]:
        name, position = text(position)
        kind, position = text(position)
        size = struct.unpack_from("<i", header, position)[0]
        attributes[name] = (kind, header[position + 4 : position + 4 + size])
        position += 4 + size
    return attributes
