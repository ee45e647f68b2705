"""Procedural colour for surfaces, band-limited to the footprint of a pixel.

Coordinates and footprints are float32 (N,) in the same unit; results are coverage 0..1 or colour (3, N) in
scene-linear ACEScg. Edges are box-filtered in closed form, so that detail finer than a pixel fades to its
mean.
"""

from __future__ import annotations

import numpy as np

from .shading import Colour
from .shapes import Array

_LATTICE = np.random.default_rng(20240229).random(4096, dtype=np.float32)


def step(edge: float, x: Array, footprint: Array) -> Array:
    """1 where x > edge, with the edge averaged over the footprint."""
    return np.clip((x - edge) / np.maximum(footprint, 1e-6) + 0.5, 0, 1)


def stripes(x: Array, period: float, duty: float, footprint: Array) -> Array:
    """Pulse train: 1 on the first `duty` of each period; exact integral over the footprint."""
    width = np.maximum(footprint / period, 1e-5)
    phase = x / period
    upper, lower = phase + width / 2, phase - width / 2
    return np.clip((_pulse_integral(upper, duty) - _pulse_integral(lower, duty)) / width, 0, 1)


def checker(u: Array, v: Array, period: float, footprint: Array) -> Array:
    """Chessboard coverage of squares of half a period."""
    a, b = stripes(u, period, 0.5, footprint), stripes(v, period, 0.5, footprint)
    return a + b - 2 * a * b


def disc(u: Array, v: Array, radius: float, footprint: Array) -> Array:
    """Coverage of a disc around the origin."""
    return 1 - step(radius, np.sqrt(u * u + v * v), footprint)


def ring(u: Array, v: Array, inner: float, outer: float, footprint: Array) -> Array:
    """Coverage of a ring around the origin."""
    return disc(u, v, outer, footprint) - disc(u, v, inner, footprint)


def bar(u: Array, v: Array, half_width: float, half_height: float, footprint: Array) -> Array:
    """Coverage of an axis-aligned rectangle around the origin."""
    return (1 - step(half_width, np.abs(u), footprint)) * (1 - step(half_height, np.abs(v), footprint))


def noise(u: Array, v: Array) -> Array:
    """Smooth value noise 0..1 with one feature per unit, bicubic-smoothed between lattice values."""
    fu, fv = np.floor(u), np.floor(v)
    iu, iv = fu.astype(np.int32), fv.astype(np.int32)
    x, y = u - fu, v - fv
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    bottom = _lattice(iu, iv) * (1 - x) + _lattice(iu + 1, iv) * x
    top = _lattice(iu, iv + 1) * (1 - x) + _lattice(iu + 1, iv + 1) * x
    return bottom * (1 - y) + top * y


def cell_value(u: Array, v: Array) -> Array:
    """One value 0..1 for each unit cell."""
    return _lattice(np.floor(u).astype(np.int32), np.floor(v).astype(np.int32))


def blend(under: Array, over: Colour, coverage: Array) -> Array:
    """`over` painted on `under` (3, N) with coverage (N,)."""
    return under + (np.asarray(over, np.float32)[:, None] - under) * coverage


def solid(colour: Colour, count: int) -> Array:
    """One colour for `count` samples."""
    return np.repeat(np.asarray(colour, np.float32)[:, None], count, axis=1)


def _pulse_integral(phase: Array, duty: float) -> Array:
    whole = np.floor(phase)
    return whole * np.float32(duty) + np.minimum(phase - whole, np.float32(duty))


def _lattice(iu: np.ndarray, iv: np.ndarray) -> Array:
    mixed = (iu * np.int32(1973)) ^ (iv * np.int32(9277)) ^ ((iu + iv) * np.int32(26699) >> 3)
    return _LATTICE[mixed & 4095]
