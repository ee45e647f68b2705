"""Where training starts: the global colour change that fits the keyframes best, found by least squares.

Either one gain a channel, robustly (the grade of most of the picture, exactly, rather than a compromise
between a changed subject and its background), or colour curves: hinges of the shaped plate, as a small
per-pixel layer of the network, when they explain a frame that they were not fitted on clearly better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .footage import Footage, Keyframe
from .perception import perceived, perceived_slope

Matrix = NDArray[np.float64]

CURVE_UNITS = 24
_SAMPLES_PER_KEYFRAME = 8000
_ROBUST_STEPS = 12
_ROBUST_FLOOR = 0.01  # perceived error under which a sample is not weighted up further
_CURVES_MUST_REACH = 0.75  # of the gain's error on the frame left out
_RIDGE = 1e-6
# The hinges look along red, green, blue and their mean.
_DIRECTIONS = np.concatenate([np.eye(3), np.full((1, 3), 1 / 3)])


@dataclass(frozen=True)
class GlobalChange:
    """gain(rgb) = bias + curves_out @ relu(curves_in @ log(|rgb| + toe) + curves_bias); no curves: bias only."""

    bias: NDArray[np.float32]  # (3,)
    curves_in: NDArray[np.float32]  # (units, 3)
    curves_bias: NDArray[np.float32]  # (units,)
    curves_out: NDArray[np.float32]  # (3, units)

    @property
    def curve_units(self) -> int:
        return len(self.curves_bias)


@dataclass(frozen=True)
class _Samples:
    rgb: Matrix  # (N, 3) scene-linear
    target: Matrix  # (N, 3)


def fit_global_change(footage: Footage, seed: int) -> GlobalChange:
    """Fit on changed, valid pixels of all keyframes; deterministic in `seed`."""
    samples = [_sample(keyframe, [seed, k]) for k, keyframe in enumerate(footage.keyframes)]
    samples = [sample for sample in samples if len(sample.rgb)]
    toe = footage.toe
    if _curves_pay(samples, toe):
        return _fit_curves(samples, toe)
    return _fit_gain(samples, toe)


def _sample(keyframe: Keyframe, seed: Sequence[int]) -> _Samples:
    usable = np.flatnonzero(keyframe.changed if keyframe.changed.any() else keyframe.valid)
    chosen = np.random.default_rng(seed).choice(usable, min(_SAMPLES_PER_KEYFRAME, len(usable)), replace=False)
    pixels = keyframe.plate.reshape(-1, keyframe.plate.shape[2])[chosen, :3]
    target = keyframe.target.reshape(-1, keyframe.target.shape[2])[chosen, :3]
    return _Samples(pixels.astype(np.float64), target.astype(np.float64))


def _curves_pay(samples: Sequence[_Samples], toe: float) -> bool:
    """Whether curves beat the gain on frames left out one at a time (on the frame itself when alone)."""
    errors = []
    for k, left_out in enumerate(samples):
        others = [sample for j, sample in enumerate(samples) if j != k] or [left_out]
        errors.append([_error(fit(others, toe), left_out, toe) for fit in (_fit_gain, _fit_curves)])
    gain, curves = np.mean(errors, axis=0)
    return bool(curves < _CURVES_MUST_REACH * gain)


def _error(change: GlobalChange, samples: _Samples, toe: float) -> float:
    return float(np.sqrt(np.mean(_residual(_gain_of(change, samples.rgb, toe), samples, toe) ** 2)))


def _residual(gain: Matrix, samples: _Samples, toe: float) -> Matrix:
    changed = samples.rgb + (np.abs(samples.rgb) + toe) * gain
    difference = perceived(changed.astype(np.float32), toe) - perceived(samples.target.astype(np.float32), toe)
    return difference.astype(np.float64)


def _gain_of(change: GlobalChange, rgb: Matrix, toe: float) -> Matrix:
    shaped = np.log(np.abs(rgb) + toe)
    hinges = np.maximum(shaped @ change.curves_in.T + change.curves_bias, 0.0)
    return change.bias + hinges @ change.curves_out.T


def _pooled(samples: Sequence[_Samples]) -> _Samples:
    return _Samples(np.concatenate([s.rgb for s in samples]), np.concatenate([s.target for s in samples]))


def _needed_gain(samples: _Samples, toe: float) -> tuple[Matrix, Matrix]:
    """The gain that turns plate into target, and what an error in it is worth, squared (Gauss-Newton)."""
    scale = np.abs(samples.rgb) + toe
    weight = (perceived_slope(samples.target, toe) * scale) ** 2
    return (samples.target - samples.rgb) / scale, weight


def _fit_gain(samples: Sequence[_Samples], toe: float) -> GlobalChange:
    """One gain a channel by iteratively reweighted least squares, which approaches the least absolute error
    (Holland and Welsch 1977)."""
    pooled = _pooled(samples)
    needed, weight = _needed_gain(pooled, toe)
    robust = np.ones((len(needed), 1))
    bias = np.zeros(3)
    for _ in range(_ROBUST_STEPS):
        bias = (weight * robust * needed).sum(0) / np.maximum((weight * robust).sum(0), 1e-12)
        error = np.sqrt(np.mean(_residual(np.broadcast_to(bias, needed.shape), pooled, toe) ** 2, axis=1))
        robust = 1.0 / np.maximum(error, _ROBUST_FLOOR)[:, None]
    none = np.zeros((0, 3), np.float32)
    return GlobalChange(bias.astype(np.float32), none, np.zeros(0, np.float32), none.T)


def _fit_curves(samples: Sequence[_Samples], toe: float) -> GlobalChange:
    """Ridge regression on hinges with knots at quantiles; the first knot of a direction lies below all data,
    which makes that hinge linear."""
    pooled = _pooled(samples)
    needed, weight = _needed_gain(pooled, toe)
    shaped = np.log(np.abs(pooled.rgb) + toe)
    per_direction = CURVE_UNITS // len(_DIRECTIONS)
    curves_in = np.repeat(_DIRECTIONS, per_direction, axis=0)  # (units, 3)
    along = shaped @ _DIRECTIONS.T  # (N, directions)
    inner = (np.arange(per_direction - 1) + 0.5) / (per_direction - 1)
    knots = [np.concatenate([[line.min() - 0.1], np.quantile(line, inner)]) for line in along.T]
    curves_bias = -np.concatenate(knots)
    terms = np.concatenate([np.ones((len(shaped), 1)), np.maximum(shaped @ curves_in.T + curves_bias, 0.0)], axis=1)
    solution = np.empty((terms.shape[1], 3))
    for channel in range(3):
        weighted = terms * weight[:, channel : channel + 1]
        normal = weighted.T @ terms
        ridge = _RIDGE * weight[:, channel].sum() * np.eye(len(normal))
        solution[:, channel] = np.linalg.solve(normal + ridge, weighted.T @ needed[:, channel])
    return GlobalChange(
        solution[0].astype(np.float32),
        curves_in.astype(np.float32),
        curves_bias.astype(np.float32),
        solution[1:].T.astype(np.float32),
    )
