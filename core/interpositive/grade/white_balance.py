"""How warm and how green a neutral surface is.

Sources
    Correlated colour temperature: the nearest point of the Planckian locus in CIE 1960 u, v (CIE 15); Duv,
    the signed distance to it, positive above (ANSI C78.377).
    The locus: Krystek, Color Research and Application 10(1), 1985.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..relight.colour_temperature import HIGHEST_KELVIN, LOWEST_KELVIN, planckian_xy, rgb_to_xyz

_MIREDS = np.linspace(1e6 / HIGHEST_KELVIN, 1e6 / LOWEST_KELVIN, 1024)


def mireds(rgb: Sequence[float] | np.ndarray, chromaticities: Sequence[float]) -> tuple[float, float]:
    """(mired, Duv) of a scene-linear RGB, 1e6 / Kelvin and CIE 1960 distance, + above the locus (greener).

    `chromaticities` are CIE xy of red, green, blue, white of the RGB. Beyond the ends of the table (1000 and
    15000 K) the scale goes on at the slope that it has there.
    """
    xyz = rgb_to_xyz(chromaticities) @ np.asarray(rgb, np.float64)
    return _nearest(_uv_of_xyz(xyz))


def to_luminance(chromaticities: Sequence[float]) -> np.ndarray:
    """(3,) weights of R, G, B in luminance; they add up to 1."""
    return rgb_to_xyz(chromaticities)[1]


def _nearest(point: np.ndarray) -> tuple[float, float]:
    locus = _LOCUS
    steps = np.diff(locus, axis=0)  # (N - 1, 2) each segment from low to high mired
    along = ((point - locus[:-1]) * steps).sum(1) / (steps**2).sum(1)
    along[1:] = np.maximum(along[1:], 0.0)
    along[:-1] = np.minimum(along[:-1], 1.0)  # the outermost segments go on beyond their ends
    away = point - (locus[:-1] + along[:, None] * steps)
    k = int(np.argmin((away**2).sum(1)))
    cross = steps[k, 0] * away[k, 1] - steps[k, 1] * away[k, 0]
    mired = _MIREDS[k] + float(along[k]) * (_MIREDS[1] - _MIREDS[0])
    # Along rising mireds u grows, so what lies to the left of the way is above the locus.
    return float(mired), float(np.copysign(np.hypot(*away[k]), cross))


def _uv_of_xyz(xyz: np.ndarray) -> np.ndarray:
    total = xyz[0] + 15 * xyz[1] + 3 * xyz[2]
    return np.array([4 * xyz[0] / total, 6 * xyz[1] / total])


def _locus() -> np.ndarray:
    xy = np.array([planckian_xy(1e6 / mired) for mired in _MIREDS])
    scale = -2 * xy[:, 0] + 12 * xy[:, 1] + 3
    return np.stack([4 * xy[:, 0] / scale, 6 * xy[:, 1] / scale], axis=1)


_LOCUS = _locus()
