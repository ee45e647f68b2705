"""Where a model's result goes and where the plate stays, bit for bit. Works on bands of rows, in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .session import Pixels

_BAND_ROWS = 128


@dataclass(frozen=True)
class BadPixels:
    """How many pixels of a frame are NaN or infinite, and where the first is (column, row from the top)."""

    count: int
    first_x: int
    first_y: int


def mix(plate: Pixels, result: Pixels, strength: float, matte: Pixels | None) -> None:
    """Turn `result` into plate + strength * matte * (result - plate), in place; (H, W, C) scene-linear.

    `matte` is (H, W); its values count from 0 to 1, NaN as 0. Where the weight is 0 the plate's bits come
    back, where it is 1 the result's.
    """
    if matte is None and strength == 1.0:
        return
    for rows in _bands(len(result)):
        band = result[rows]
        before = np.broadcast_to(plate, result.shape)[rows]
        weight = _weight(strength, None if matte is None else matte[rows])
        with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinity are the plate's own
            mixed = before + weight * (band - before)
        np.copyto(mixed, before, where=weight == 0.0)
        np.copyto(band, mixed, where=weight != 1.0)


def _weight(strength: float, matte: Pixels | None) -> Pixels:
    """(H, W, 1), or (1, 1, 1) where it is the same everywhere."""
    if matte is None:
        return np.full((1, 1, 1), strength, np.float32)
    return np.clip(np.nan_to_num(matte, nan=0.0), 0.0, 1.0)[..., None] * np.float32(strength)


def find_bad_pixels(pixels: Pixels) -> BadPixels | None:
    """The NaN and infinite pixels of (H, W, C); None when there are none."""
    count, first = 0, (0, 0)
    for rows in _bands(len(pixels)):
        finite = np.isfinite(pixels[rows])
        if finite.all():
            continue
        bad_rows, bad_columns = np.nonzero(~finite.all(axis=2))
        if count == 0:
            first = int(bad_columns[0]), int(bad_rows[0]) + rows.start
        count += len(bad_rows)
    return BadPixels(count, *first) if count else None


def keep_bad_pixels(plate: Pixels, result: Pixels) -> None:
    """Put the plate's NaN and infinite values back into `result`, in place; both (H, W, C)."""
    for rows in _bands(len(result)):
        np.copyto(result[rows], plate[rows], where=~np.isfinite(plate[rows]))


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, min(top + _BAND_ROWS, height)) for top in range(0, height, _BAND_ROWS))
