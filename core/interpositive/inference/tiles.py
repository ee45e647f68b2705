"""Frames of any size in bounded memory.

A tile is a window of the frame on the network's stride grid, and the core inside of it that is kept. Cores
cover the frame once; a window reaches at least the receptive field beyond its core, or to the frame's
edge, so every kept pixel has seen exactly what it would have seen in the whole frame. All windows of a
frame have one size: the device plans its memory once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from .session import DeviceMemoryError, InferenceSession, Pixels, round_up

_MOST_COLUMNS = 256


@dataclass(frozen=True)
class Span:
    """One tile along one axis, px: the window is [start, stop), the core that is kept [first, last)."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class Tile:
    """One window of a frame and its core."""

    x: Span
    y: Span


def plan_tiles(width: int, height: int, stride: int, halo_px: int, max_tile_pixels: int) -> list[Tile]:
    """Tiles of a frame of `width` x `height` px whose windows have at most `max_tile_pixels` pixels.

    One tile when the frame fits; else the grid that computes the fewest pixels in all. Raises
    `UsageError` when not even the smallest useful window fits.
    """
    size = _window_size(round_up(width, stride), round_up(height, stride), stride, halo_px, max_tile_pixels)
    columns = list(_spans(width, size[0], stride, halo_px))
    return [Tile(x, y) for y in _spans(height, size[1], stride, halo_px) for x in columns]


def run_tiled(
    session: InferenceSession,
    pixels: Pixels,
    origin: tuple[float, float],
    extent: tuple[float, float],
    max_tile_pixels: int,
    between_tiles: Callable[[], None] = lambda: None,
) -> Pixels:
    """Run a whole frame: (H, W, C_in) scene-linear -> (H, W, C_out) scene-linear, as `InferenceSession.run`.

    `between_tiles` is called before each tile and may raise to stop. Raises `DeviceMemoryError` like the
    session.
    """
    height, width = pixels.shape[:2]
    tiling = session.tiling
    tiles = plan_tiles(width, height, tiling.stride, tiling.receptive_px, max_tile_pixels)
    if len(tiles) == 1:
        between_tiles()
        return session.run(pixels, origin, extent)
    result: Pixels = np.empty((height, width, 0), np.float32)
    for tile in tiles:
        between_tiles()
        x, y = tile.x, tile.y
        window = pixels[y.start : y.stop, x.start : x.stop]
        done = session.run(window, (origin[0] + x.start, origin[1] + y.start), extent)
        if result.shape[2] != done.shape[2]:  # the first tile tells how many channels come out
            result = np.empty((height, width, done.shape[2]), np.float32)
        core = done[y.first - y.start : y.last - y.start, x.first - x.start : x.last - x.start]
        result[y.first : y.last, x.first : x.last] = core
    return result


class FrameRunner:
    """`run_tiled` with a memory budget, which answers an exhausted device with smaller tiles.

    `budget_bytes` is for the windows alone; frames in flight are counted elsewhere.
    """

    def __init__(self, session: InferenceSession, budget_bytes: int, log: Callable[[str], None]) -> None:
        self.session = session
        self.max_tile_pixels = max(int(budget_bytes / session.tiling.bytes_per_pixel), 1)
        self._log = log

    def run(
        self,
        pixels: Pixels,
        origin: tuple[float, float],
        extent: tuple[float, float],
        between_tiles: Callable[[], None] = lambda: None,
    ) -> Pixels:
        """As `run_tiled`; a smaller tile size that was needed once is kept for the frames after it."""
        while True:
            try:
                return run_tiled(self.session, pixels, origin, extent, self.max_tile_pixels, between_tiles)
            except DeviceMemoryError as error:
                height, width = pixels.shape[:2]
                tried = min(self.max_tile_pixels, width * height)
                self.max_tile_pixels = tried // 2
                self._log(
                    f"The {self.session.device} device has no memory for windows of {tried / 1e6:.1f} "
                    f"megapixels ({error}); going on with half of that."
                )


def _window_size(width: int, height: int, stride: int, halo_px: int, max_pixels: int) -> tuple[int, int]:
    """Window (width, height) on the stride grid, at most `max_pixels`, with the least pixels computed."""
    if width * height <= max_pixels:
        return width, height
    halo = round_up(halo_px, stride)
    best: tuple[int, int, int] | None = None  # computed pixels, window width, window height
    for columns in range(1, min(_MOST_COLUMNS, width // stride) + 1):
        window_w = _window_length(width, columns, stride, halo)
        longest_h = min(max_pixels // window_w // stride * stride, height)
        if longest_h < min(height, 2 * halo + stride):
            continue
        rows = 1 if longest_h == height else -(-(height - 2 * halo) // (longest_h - 2 * halo))
        window_h = _window_length(height, rows, stride, halo)
        computed = columns * rows * window_w * window_h
        if best is None or computed < best[0]:
            best = computed, window_w, window_h
    if best is None:
        smallest = min(2 * halo + stride, width) * min(2 * halo + stride, height)
        raise UsageError(
            f"The memory budget allows windows of {max_pixels} pixels, this model needs at least {smallest}. "
            "Pass a larger --memory-gb or use --device cpu."
        )
    return best[1], best[2]


def _window_length(length: int, count: int, stride: int, halo: int) -> int:
    """The shortest window of which `count`, overlapping by two halos, cover `length`."""
    if count == 1:
        return length
    core = max(round_up(-(-(length - 2 * halo) // count), stride), stride)
    return min(core + 2 * halo, length)


def _spans(length: int, window: int, stride: int, halo_px: int) -> Iterator[Span]:
    """Spans of one axis in order; windows start on the stride grid, the last ends with the padded frame."""
    padded = round_up(length, stride)
    halo = round_up(halo_px, stride)
    first, start = 0, 0
    while True:
        start = min(start, padded - window)
        stop = start + window
        last = length if stop >= padded else stop - halo
        yield Span(start, min(stop, length), first, last)
        if stop >= padded:
            return
        first, start = last, last - halo
