"""Where training starts: the global colour change that fits the keyframes best, found by least squares.

Always a gain with a 3x3 filter of the shaped plate (a softening or sharpening that came with the change); for
that, robustly: the grade of most of the picture, exactly, rather than a compromise between a changed subject
and its background. With it colour curves, hinges of the shaped plate as a small layer of the network at full
size, when they explain a frame that they were not fitted on clearly better.
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
_ROBUST_STEPS = 8
_ROBUST_FLOOR = 0.01  # perceived error under which a sample is not weighted up further
_CURVES_MUST_REACH = 0.75  # of the gain's error on the frame left out
_RIDGE = 1e-6
# The hinges look along red, green, blue and their mean.
_DIRECTIONS = np.concatenate([np.eye(3), np.full((1, 3), 1 / 3)])


@dataclass(frozen=True)
class GlobalChange:
    """gain = bias + curves_out @ relu(curves_in @ y + curves_bias) + filter * y with y = log(|rgb| + toe).

    The filter is a 3x3 cross-correlation.
    """

    bias: NDArray[np.float32]  # (3,)
    curves_in: NDArray[np.float32]  # (units, 3)
    curves_bias: NDArray[np.float32]  # (units,)
    curves_out: NDArray[np.float32]  # (3, units)
    filter: NDArray[np.float32]  # (3, 3, 3, 3): out, in, row, column

    @property
    def curve_units(self) -> int:
        return len(self.curves_bias)


@dataclass(frozen=True)
class _Samples:
    around: Matrix  # (N, 3, 3, 3) scene-linear: channel, row, column
    target: Matrix  # (N, 3)

    @property
    def rgb(self) -> Matrix:
        """(N, 3): the pixels themselves."""
        return self.around[:, :, 1, 1]


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
    chosen = np.random.default_rng(seed).choice(
        usable, min(_SAMPLES_PER_KEYFRAME, len(usable)), replace=False
    )
    height, width = keyframe.valid.shape
    rows, columns = np.divmod(chosen, width)
    near = np.arange(-1, 2)
    rows = np.clip(rows[:, None] + near, 0, height - 1)  # (N, 3)
    columns = np.clip(columns[:, None] + near, 0, width - 1)
    around = keyframe.plate[rows[:, :, None], columns[:, None, :], :3]  # (N, row, column, channel)
    target = keyframe.target.reshape(height * width, -1)[chosen, :3]
    return _Samples(around.transpose(0, 3, 1, 2).astype(np.float64), target.astype(np.float64))


def _curves_pay(samples: Sequence[_Samples], toe: float) -> bool:
    """Whether curves beat the gain on frames left out one at a time (on the frame itself when alone)."""
    errors = []
    for k, left_out in enumerate(samples):
        others = [sample for j, sample in enumerate(samples) if j != k] or [left_out]
        errors.append([_error(fit(others, toe), left_out, toe) for fit in (_fit_gain, _fit_curves)])
    gain, curves = np.mean(errors, axis=0)
    return bool(curves < _CURVES_MUST_REACH * gain)


def _error(change: GlobalChange, samples: _Samples, toe: float) -> float:
    return float(np.sqrt(np.mean(_residual(_gain_of(change, samples, toe), samples, toe) ** 2)))


def _residual(gain: Matrix, samples: _Samples, toe: float) -> Matrix:
    changed = samples.rgb + (np.abs(samples.rgb) + toe) * gain
    difference = perceived(changed.astype(np.float32), toe) - perceived(
        samples.target.astype(np.float32), toe
    )
    return difference.astype(np.float64)


def _gain_of(change: GlobalChange, samples: _Samples, toe: float) -> Matrix:
    shaped = np.log(np.abs(samples.around) + toe)
    hinges = np.maximum(shaped[:, :, 1, 1] @ change.curves_in.T + change.curves_bias, 0.0)
    return change.bias + hinges @ change.curves_out.T + np.einsum("ncij,ocij->no", shaped, change.filter)


def _pooled(samples: Sequence[_Samples]) -> _Samples:
    return _Samples(np.concatenate([s.around for s in samples]), np.concatenate([s.target for s in samples]))


def _needed_gain(samples: _Samples, toe: float) -> tuple[Matrix, Matrix]:
    """The gain that turns plate into target, and what an error in it is worth, squared (Gauss-Newton)."""
    scale = np.abs(samples.rgb) + toe
    weight = (perceived_slope(samples.target, toe) * scale) ** 2
    return (samples.target - samples.rgb) / scale, weight


def _fit_gain(samples: Sequence[_Samples], toe: float) -> GlobalChange:
    """Gain and filter by iteratively reweighted least squares, which approaches the least absolute error
    (Holland and Welsch 1977)."""
    pooled = _pooled(samples)
    needed, weight = _needed_gain(pooled, toe)
    terms = _with_ones(np.log(np.abs(pooled.around) + toe).reshape(len(needed), -1))
    robust = np.ones((len(needed), 1))
    solution = np.zeros((terms.shape[1], 3))
    for _ in range(_ROBUST_STEPS):
        solution = _ridge(terms, needed, weight * robust)
        error = np.sqrt(np.mean(_residual(terms @ solution, pooled, toe) ** 2, axis=1))
        robust = 1.0 / np.maximum(error, _ROBUST_FLOOR)[:, None]
    none = np.zeros((0, 3), np.float32)
    return _change(solution, none, none[:, 0])


def _fit_curves(samples: Sequence[_Samples], toe: float) -> GlobalChange:
    """Ridge regression on the filter's nine neighbours and on hinges with knots at quantiles."""
    pooled = _pooled(samples)
    needed, weight = _needed_gain(pooled, toe)
    shaped = np.log(np.abs(pooled.around) + toe)  # (N, 3, 3, 3)
    along = shaped[:, :, 1, 1] @ _DIRECTIONS.T  # (N, directions)
    per_direction = CURVE_UNITS // len(_DIRECTIONS)
    shares = (np.arange(per_direction) + 0.5) / per_direction
    knots = np.quantile(along, shares, axis=0)  # (knots, directions)
    curves_in = np.repeat(_DIRECTIONS, per_direction, axis=0)  # (units, 3)
    curves_bias = -knots.T.ravel()
    hinges = np.maximum(np.repeat(along, per_direction, axis=1) + curves_bias, 0.0)  # (N, units)
    terms = _with_ones(np.concatenate([shaped.reshape(len(shaped), -1), hinges], axis=1))
    solution = _ridge(terms, needed, weight)
    return _change(solution, curves_in.astype(np.float32), curves_bias.astype(np.float32))


def _with_ones(terms: Matrix) -> Matrix:
    return np.concatenate([np.ones((len(terms), 1)), terms], axis=1)


def _ridge(terms: Matrix, needed: Matrix, weight: Matrix) -> Matrix:
    """Ridge regression (T, 3) of `needed` (N, 3) on `terms` (N, T); each channel has its own `weight`."""
    solution = np.empty((terms.shape[1], needed.shape[1]))
    for channel in range(needed.shape[1]):
        weighted = terms * weight[:, channel : channel + 1]
        ridge = _RIDGE * weight[:, channel].sum() * np.eye(terms.shape[1])
        solution[:, channel] = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ needed[:, channel])
    return solution


def _change(
    solution: Matrix, curves_in: NDArray[np.float32], curves_bias: NDArray[np.float32]
) -> GlobalChange:
    """From a solution (1 + 27 + units, 3): bias, filter, hinges."""
    weights = solution.T.astype(np.float32)  # (3, terms)
    return GlobalChange(
        bias=weights[:, 0],
        curves_in=curves_in,
        curves_bias=curves_bias,
        curves_out=weights[:, 28:],
        filter=weights[:, 1:28].reshape(3, 3, 3, 3),
    )
