"""Tiny dailies for the tests of this folder: EXR sequences and movies as cameras and labs write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from interpositive.images.image import Image
from interpositive.images.writing import write_exr

WIDTH, HEIGHT = 64, 36
BT709, UNTAGGED = 1, 2


def words(timecode: str) -> tuple[int, int]:
    """hh:mm:ss:ff or ;ff as the packed words of a header."""
    digits = [int(part) for part in timecode.replace(";", ":").split(":")]
    word = sum(
        (value // 10 << 4 | value % 10) << shift for value, shift in zip(digits, (24, 16, 8, 0), strict=True)
    )
    return word | (1 << 6 if ";" in timecode else 0), 0


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
    """(height, width, 3) smooth colours of one place; another seed is another place."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / (height, width)[0]
    level = rng.uniform(0.05, 0.6, 3).astype(np.float32)
    slope = rng.uniform(-0.3, 0.3, (3, 2)).astype(np.float32)
    waves = np.stack([np.sin(7 * x + c) * np.cos(5 * y - c) for c in rng.uniform(0, 6, 3)], axis=2)
    base = level * (1 + x[..., None] * slope[:, 0] + y[..., None] * slope[:, 1] + 0.3 * waves)
    return np.maximum(base, 0.001).astype(np.float32)


def write_sequence(
    pattern: Path,
    frames: Sequence[int],
    pictures: Sequence[NDArray[np.float32]] | None = None,
    first_timecode: str | None = "01:00:00:00",
    seed: int = 1,
    **attributes: Any,
) -> None:
    """EXRs at 24 frames a second; `pattern` has {:04d} for the frame. The picture moves a pixel a frame."""
    still = picture(seed)
    for k, frame in enumerate(frames):
        pixels = pictures[k] if pictures is not None else np.roll(still, k, axis=1)
        metadata: dict[str, Any] = {"FramesPerSecond": (24, 1), **attributes}
        types = {"FramesPerSecond": "rational", "smpte:TimeCode": "timecode", "chromaticities": "float[8]"}
        if first_timecode is not None:
            fields = first_timecode.split(":")
            code = ":".join([*fields[:3], f"{int(fields[3]) + frame - frames[0]:02d}"])
            metadata["smpte:TimeCode"] = words(code)
        image = Image(
            pixels,
            ("R", "G", "B"),
            metadata=metadata,
            metadata_types={k: types[k] for k in metadata if k in types},
        )
        write_exr(Path(str(pattern).format(frame)), image)


def write_movie(
    path: Path,
    pictures: Sequence[NDArray[np.float32]],
    codec: str = "mjpeg",
    rate: Any = 24,
    timecode: str | None = "01:00:00:00",
    transfer: int = BT709,
    is_streamable: bool = False,
) -> None:
    """A movie of display values 0..1; `is_streamable` puts the index in front."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if is_streamable else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        height, width = pictures[0].shape[:2]
        stream.width, stream.height = width, height
        stream.pix_fmt = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}.get(codec, "yuv420p")
        if timecode is not None:
            stream.metadata["timecode"] = timecode
        context = stream.codec_context
        context.colorspace = context.color_primaries = BT709
        context.color_trc = transfer
        for k, pixels in enumerate(pictures):
            code = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(code, format="rgb24").reformat(format=stream.pix_fmt)
            frame.pts = k
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
