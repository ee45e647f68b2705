"""Scene-linear colours as even steps for the eye, without end: what errors of a grade are counted in.

Rec.709 primaries with the working white as white, and the curve of IEC 61966-2-1 (sRGB), which goes on above
one and is mirrored below zero, so that every colour has its value and can be brought back.
"""

from __future__ import annotations

import numpy as np

from ..images.colour import primaries_of
from ..relight.colour_temperature import REC709, rgb_to_xyz
from .grading_space import GradingSpace

Array = np.ndarray

_TOE, _TOE_SLOPE, _POWER, _SCALE = 0.0031308, 12.92, 2.4, 1.055


def perceived(encoded: Array, log: GradingSpace) -> Array:
    """Encoded colours (N, 3) as display values (N, 3) float64; 0..1 is what a screen shows."""
    linear = log.decode(np.asarray(encoded, np.float32)[None])[0].astype(np.float64)
    return _curve(linear @ _to_screen(log).T)


def encoded_from(shown: Array, log: GradingSpace) -> Array:
    """The inverse of `perceived`, float32."""
    linear = _inverse_curve(np.asarray(shown, np.float64)) @ np.linalg.inv(_to_screen(log)).T
    return log.encode(linear.astype(np.float32)[None])[0]


def sensitivity(encoded: Array, log: GradingSpace) -> Array:
    """How much the display value of a neutral changes with the encoded value, at each value (N, 3), relative
    to middle grey."""
    ramp = np.linspace(-0.2, 1.5, 3401)
    slope = np.gradient(perceived(np.repeat(ramp[:, None], 3, axis=1), log)[:, 1], ramp)
    grey = log.encode(np.full((1, 1, 3), 0.18, np.float32))[0, 0, 1]
    relative: Array = np.interp(encoded, ramp, slope) / np.interp(grey, ramp, slope)
    return relative


def _to_screen(log: GradingSpace) -> Array:
    matrix = np.linalg.inv(rgb_to_xyz(REC709)) @ rgb_to_xyz(primaries_of(log.working_space))
    balanced: Array = matrix / matrix.sum(axis=1, keepdims=True)
    return balanced


def _curve(linear: Array) -> Array:
    size = np.abs(linear)
    bent = _SCALE * np.maximum(size, _TOE) ** (1 / _POWER) - (_SCALE - 1)
    return np.copysign(np.where(size <= _TOE, size * _TOE_SLOPE, bent), linear)


def _inverse_curve(shown: Array) -> Array:
    size = np.abs(shown)
    bent = ((np.maximum(size, _TOE * _TOE_SLOPE) + (_SCALE - 1)) / _SCALE) ** _POWER
    return np.copysign(np.where(size <= _TOE * _TOE_SLOPE, size / _TOE_SLOPE, bent), shown)
