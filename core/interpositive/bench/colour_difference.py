"""Colour difference as people see it.

CIEDE2000: CIE 142-2001, in the form of G. Sharma, W. Wu, E. Dalal, "The CIEDE2000 Color-Difference Formula:
Implementation Notes, Supplementary Test Data, and Mathematical Observations", Color Research and Application
30(1), 2005. Lab: CIE 15, of sRGB code values (IEC 61966-2-1) under D65.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)


def lab_of_srgb(codes: Array) -> Array:
    """(..., 3) sRGB code values 0..1 to L, a, b."""
    codes = np.clip(np.asarray(codes, np.float64), 0, 1)
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    bent = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(first: Array, second: Array) -> Array:
    """(...) of two arrays (..., 3) of L, a, b, with all weights one."""
    l1, a1, b1 = np.moveaxis(np.asarray(first, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, np.float64), -1, 0)
    mean_chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * (1 + g), b1), np.hypot(a2 * (1 + g), b2)
    h1, h2 = _hue(a1 * (1 + g), b1), _hue(a2 * (1 + g), b2)
    both = c1 * c2 != 0
    turn = np.where(both, (h2 - h1 + 180) % 360 - 180, 0.0)
    turn = np.where(both & (h2 - h1 == 180), 180.0, turn)
    hue_difference = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    chroma, lightness = (c1 + c2) / 2, (l1 + l2) / 2
    hue = np.where(both, _mean_hue(h1, h2), h1 + h2)
    t = (
        1 - 0.17 * _cosine(hue - 30) + 0.24 * _cosine(2 * hue)
        + 0.32 * _cosine(3 * hue + 6) - 0.20 * _cosine(4 * hue - 63)
    )  # fmt: skip
    square = (lightness - 50) ** 2
    in_lightness = (l2 - l1) / (1 + 0.015 * square / np.sqrt(20 + square))
    in_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    in_hue = hue_difference / (1 + 0.015 * chroma * t)
    turned = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -np.sin(np.radians(turned)) * 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    total = in_lightness**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue
    return np.asarray(np.sqrt(np.maximum(total, 0)))


def mean_difference(result: Array, target: Array) -> float:
    """Mean CIEDE2000 of two pictures (H, W, 3) of sRGB code values."""
    return float(ciede2000(lab_of_srgb(result), lab_of_srgb(target)).mean())


def _hue(a: Array, b: Array) -> Array:
    return np.degrees(np.arctan2(b, a)) % 360


def _mean_hue(h1: Array, h2: Array) -> Array:
    apart = np.abs(h1 - h2) > 180
    total = h1 + h2
    return np.where(apart, np.where(total < 360, total + 360, total - 360), total) / 2


def _cosine(degrees: Array) -> Array:
    return np.cos(np.radians(degrees))
