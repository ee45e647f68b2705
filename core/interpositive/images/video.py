"""mov and mp4 in, through PyAV: frames by number, as float code values, with what the file says about its
colour.

Y'CbCr is turned into R'G'B' in float by the file's own matrix and range, so values below black and above
white stay. Chroma is read as left-sited (ITU-T H.264, chroma_sample_loc_type 0) and interpolated linearly.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedFrameError, MissingFramesError
from .image import Image, ImageFile, Pixels

FIRST_FRAME = 1  # a movie's frames are numbered from 1, as compositing hosts do

# ITU-T H.273 code points: (name, (Kr, Kb)), transfer, primaries.
_MATRICES = {
    1: ("bt709", (0.2126, 0.0722)),
    5: ("bt470bg", (0.299, 0.114)),
    6: ("smpte170m", (0.299, 0.114)),
    9: ("bt2020", (0.2627, 0.0593)),
}
_TRANSFERS = {
    1: "bt709",
    6: "smpte170m",
    8: "linear",
    13: "srgb",
    14: "bt2020",
    15: "bt2020",
    16: "pq",
    18: "hlg",
}
_PRIMARIES = {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020", 11: "dci-p3", 12: "p3-d65"}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


class Movie:
    """A movie that is read by frame number; keeps its decoder, so that reading forward is cheap.
    Thread-safe.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises MissingFramesError (no such file), DamagedFrameError (no picture in it)."""
        self.path = Path(path)
        self._lock = threading.Lock()
        if not self.path.is_file():
            raise MissingFramesError(f"There is no file {path}. Check the path.")
        try:
            self._container = av.open(str(path))
            self._stream = self._container.streams.video[0]
            self._times = self._indexed_times() or sorted(
                packet.pts
                for packet in self._container.demux(self._stream)
                if packet.pts is not None and not packet.is_discard
            )
        except (av.error.FFmpegError, IndexError) as error:
            raise self._damaged(str(error)) from error
        if not self._times:
            raise self._damaged("no picture in it")
        self._next = -1
        self._decoded: Iterator[Any] = iter(())
        self.size = (int(self._stream.width), int(self._stream.height))

    def __len__(self) -> int:
        return len(self._times)

    @property
    def lost_frames(self) -> int:
        """How many frames the file's index announces beyond its end: it is truncated."""
        size = self.path.stat().st_size
        return sum(entry.pos + entry.size > size for entry in self._index())

    @property
    def tags(self) -> dict[str, str]:
        """What the file says of itself: the tags of its container, then those of its streams."""
        merged: dict[str, str] = {}
        for holder in (self._stream, *self._container.streams, self._container):
            for key, value in holder.metadata.items():
                merged.setdefault(str(key), str(value))
        return merged

    def _index(self) -> Any:
        """The index entries of the pictures; none where the container has no index, or before PyAV 16."""
        return getattr(self._stream, "index_entries", None) or ()

    def _indexed_times(self) -> list[int]:
        """Presentation times by the file's index, or none where it has no complete one.

        For codecs whose every frame stands alone, where they are the decoding times that an index holds. Such
        files are large, and finding the times in the frames themselves would read all of it.
        """
        if not self._stream.codec_context.codec.intra_only:
            return []
        entries = self._index()
        if len(entries) != self._stream.frames:
            return []
        size = self.path.stat().st_size
        held = (entry for entry in entries if entry.pos + entry.size <= size and not entry.is_discard)
        return sorted(entry.timestamp for entry in held)

    def read(self, frame: int) -> ImageFile:
        """R'G'B' (and A) code values, about 0..1, (H, W, 3 or 4) float32. Frames count from FIRST_FRAME."""
        index = frame - FIRST_FRAME
        if not 0 <= index < len(self._times):
            raise MissingFramesError(f"{self.path} has frames {FIRST_FRAME}-{len(self)}, not {frame}.")
        with self._lock:
            try:
                decoded = self._decode(index)
            except av.error.FFmpegError as error:
                self._next = -1
                raise self._damaged(f"frame {frame}: {error}") from error
        metadata, types = self._metadata(decoded, index)
        pixels = _rgb(decoded, metadata["video:matrix"], metadata["video:range"] == "full")
        bits = decoded.format.components[0].bits
        kind = f"uint{bits}" if bits <= 16 else "float"
        image = Image(
            pixels, "RGBA"[: pixels.shape[2]], None, None, (kind,) * pixels.shape[2], metadata, "", types
        )
        return ImageFile((image,), self.path, "video")

    def _decode(self, index: int) -> Any:
        time = self._times[index]
        if index != self._next:
            self._container.seek(time, stream=self._stream)
            self._decoded = self._container.decode(self._stream)
        for decoded in self._decoded:
            if decoded.pts == time:
                self._next = index + 1
                return decoded
            if decoded.pts is not None and decoded.pts > time:
                break
        self._next = -1
        raise self._damaged(f"frame {index + FIRST_FRAME} cannot be decoded")

    def _damaged(self, reason: str) -> DamagedFrameError:
        return DamagedFrameError(
            f"{self.path} is damaged or not a movie ({reason}). Copy or export it again."
        )

    def _metadata(self, decoded: Any, index: int) -> tuple[dict[str, Any], dict[str, str]]:
        matrix = _MATRICES.get(decoded.colorspace)
        # An untagged file has the matrix that its raster was standardised with; `describe` says so.
        assumed = "bt709 (untagged)" if self.size[1] >= 720 else "smpte170m (untagged)"
        full = decoded.color_range == _FULL_RANGE or decoded.format.name.startswith("yuvj")
        metadata: dict[str, Any] = {
            "video:matrix": "rgb" if decoded.format.is_rgb else matrix[0] if matrix else assumed,
            "video:range": "full" if full or decoded.format.is_rgb else "limited",
            "video:transfer": _TRANSFERS.get(decoded.color_trc, "untagged"),
            "video:primaries": _PRIMARIES.get(decoded.color_primaries, "untagged"),
        }
        types: dict[str, str] = {}
        rate = self._stream.average_rate
        if rate:
            metadata["framesPerSecond"], types["framesPerSecond"] = (
                (rate.numerator, rate.denominator),
                "rational",
            )
            start = self._start_timecode()
            if start:
                metadata["smpte:TimeCode"] = smpte_timecode(start, index, float(rate))
                types["smpte:TimeCode"] = "timecode"
        return metadata, types

    def _start_timecode(self) -> str | None:
        tagged = [
            self._stream.metadata,
            self._container.metadata,
            *(s.metadata for s in self._container.streams),
        ]
        return next((str(tags["timecode"]) for tags in tagged if "timecode" in tags), None)


def smpte_timecode(start: str, frames_later: int, frames_per_second: float) -> tuple[int, int]:
    """ "hh:mm:ss:ff" (or ;ff for drop frame) plus frames, as the two words of SMPTE ST 12-1 binary groups.

    Drop frame leaves out the first two numbers (four at 60) of each minute but every tenth.
    """
    is_drop = ";" in start
    base = round(frames_per_second)
    hours, minutes, seconds, frames = (
        int(part) for part in start.replace(";", ":").replace(".", ":").split(":")
    )
    total_minutes = hours * 60 + minutes
    dropped = base // 15 if is_drop else 0
    count = (total_minutes * 60 + seconds) * base + frames - dropped * (total_minutes - total_minutes // 10)
    count += frames_later
    if dropped:
        ten_minutes, rest = divmod(count, base * 600 - dropped * 9)
        count += dropped * 9 * ten_minutes
        if rest >= base * 60:
            count += dropped * (1 + (rest - base * 60) // (base * 60 - dropped))
    values = (count % base, count // base % 60, count // (base * 60) % 60, count // (base * 3600) % 24)
    word = sum((value // 10 << 4 | value % 10) << 8 * k for k, value in enumerate(values))
    return word | (1 << 6 if is_drop else 0), 0


def _rgb(decoded: Any, matrix: str, is_full_range: bool) -> Pixels:
    """(H, W, 3 or 4) float32 code values."""
    has_alpha = any(component.is_alpha for component in decoded.format.components)
    if decoded.format.is_rgb:
        code: NDArray[Any] = decoded.to_ndarray(format="rgba64le" if has_alpha else "rgb48le")
        return np.multiply(code, 1 / 65535, dtype=np.float32)
    if not decoded.format.is_planar or len(decoded.planes) < 3:
        bits = decoded.format.components[0].bits
        decoded = decoded.reformat(format="yuv444p" if bits <= 8 else "yuv444p16le")
    bits = decoded.format.components[0].bits
    scale = float(1 << (bits - 8))
    planes: list[Any] = [_plane(plane, bits, decoded.width, decoded.height) for plane in decoded.planes]
    luma, cb, cr, *alpha = planes
    most = float((1 << bits) - 1)
    if is_full_range:
        luma, cb, cr = luma / most, (cb - 128 * scale) / most, (cr - 128 * scale) / most
    else:
        luma, cb, cr = (luma / scale - 16) / 219, (cb / scale - 128) / 224, (cr / scale - 128) / 224
    kr, kb = next(weights for name, weights in _MATRICES.values() if matrix.startswith(name))
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return np.stack([red, green, blue, *(plane / most for plane in alpha)], axis=2).astype(
        np.float32, copy=False
    )


def _plane(plane: Any, bits: int, width: int, height: int) -> Pixels:
    """One plane at full size, (H, W) float32 code values of `bits` bits."""
    kind = np.dtype(np.uint8 if bits <= 8 else "<u2")
    rows = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
    values = rows[:, : plane.width].astype(np.float32)
    if values.shape == (height, width):
        return values
    step_x = 0.5 if plane.width < width else 1.0
    step_y = 0.5 if plane.height < height else 1.0
    to_source = np.array([[step_x, 0, 0], [0, step_y, (step_y - 1) / 2]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, to_source, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
